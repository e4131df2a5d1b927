//! `sync` with real servers as the remote: two machines at once, a store that goes away or is silent, a run that is
//! killed, wrong credentials. What the stores themselves must do is tried beside `src/remote.rs`.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Env, Ran};
use crate::servers::{BUCKET, Fault, KEY, Proxy, SECRET, servers};
use crate::sync::{give_key, snapshot, snapshots};

const NOW: &str = "2026-04-19T15:30:00+05:30";

/// A command of that machine, which may use the S3 store at `server`.
fn command(env: &Env, server: &str, args: &[&str]) -> Command {
    let mut command = env.command(args);
    command
        .env("AWS_ENDPOINT_URL", format!("http://{server}"))
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

fn run(env: &Env, server: &str, args: &[&str]) -> Ran {
    env.ran(&mut command(env, server, args), args)
}

/// A machine with some snapshots, that carries them below `prefix`.
fn machine(server: &str, prefix: &str, first: Option<&Env>, people: &[&str]) -> Env {
    let mut env = Env::at(NOW);
    if let Some(first) = first {
        give_key(first, &env);
    }
    let remote = format!("s3://{BUCKET}/{prefix}");
    run(&env, server, &["sync", "init", "--remote", &remote]).code(0);
    for (day, name) in (2..).zip(people) {
        snapshot(&mut env, name, day, name);
    }
    env
}

#[test]
fn two_machines_push_at_once_and_a_third_has_all_of_both() {
    let Some(servers) = servers() else { return };
    let desk = machine(&servers.s3, "at-once", None, &["alice", "bob", "carol"]);
    let laptop = machine(
        &servers.s3,
        "at-once",
        Some(&desk),
        &["dave", "erin", "frank"],
    );
    std::thread::scope(|scope| {
        for env in [&desk, &laptop] {
            scope.spawn(|| run(env, &servers.s3, &["sync", "push"]).code(0));
        }
    });
    let third = machine(&servers.s3, "at-once", Some(&desk), &[]);
    for env in [&desk, &laptop, &third] {
        run(env, &servers.s3, &["sync", "pull"]).code(0);
    }
    assert_eq!(snapshots(&third).len(), 12);
    assert_eq!(snapshots(&desk), snapshots(&third));
    assert_eq!(snapshots(&laptop), snapshots(&third));
}

#[test]
fn a_busy_store_that_loses_answers_gets_all_of_it_in_the_end() {
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    let desk = machine(&proxy.address, "busy", None, &["alice", "bob"]);
    let is_put = |request: &str| request.starts_with("PUT");
    proxy.spoil(2, Fault::Status(503), is_put);
    proxy.spoil(2, Fault::LoseReply, is_put);
    proxy.spoil(2, Fault::CutRequest, is_put);
    run(&desk, &proxy.address, &["sync", "push"]).code(0);
    let third = machine(&servers.s3, "busy", Some(&desk), &[]);
    proxy.spoil(2, Fault::CutReply(100), |request| {
        request.starts_with("GET")
    });
    run(&third, &proxy.address, &["sync", "pull"]).code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
}

#[test]
fn a_store_that_goes_away_ends_it_and_the_next_run_goes_on() {
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    let desk = machine(&proxy.address, "away", None, &["alice", "bob"]);
    proxy.go_away();
    let ran = run(&desk, &proxy.address, &["sync", "push"]).code(16);
    assert!(
        ran.stderr
            .contains("the connection was cut again and again"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(SECRET));
    run(&desk, &servers.s3, &["sync", "push"]).code(0);
    let third = machine(&servers.s3, "away", Some(&desk), &[]);
    run(&third, &servers.s3, &["sync", "pull"]).code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
}

#[test]
fn a_signal_ends_the_wait_for_a_silent_store_and_a_killed_push_leaves_nothing_half() {
    use rustix::process::{Pid, Signal, kill_process};
    let Some(servers) = servers() else { return };
    let proxy = Proxy::to(&servers.s3);
    let desk = machine(&servers.s3, "silent", None, &["alice", "bob"]);
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let before = proxy.seen().len();
        proxy.spoil(100, Fault::Silence, |request| request.starts_with("PUT"));
        let child = command(&desk, &proxy.address, &["sync", "push"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let is_put = |request: &String| request.starts_with("PUT");
        for _ in 0..1_000 {
            if proxy.seen().iter().skip(before).any(is_put) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("sends");
        let output = child.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), code);
    }
    let third = machine(&servers.s3, "silent", Some(&desk), &[]);
    run(&third, &servers.s3, &["sync", "pull"]).code(0);
    assert_eq!(snapshots(&third), []);
    run(&desk, &servers.s3, &["sync", "push"]).code(0);
    run(&third, &servers.s3, &["sync", "pull"]).code(0);
    assert_eq!(snapshots(&third), snapshots(&desk));
}

#[test]
fn wrong_credentials_are_told_without_a_word_of_them() {
    let Some(servers) = servers() else { return };
    let desk = machine(&servers.s3, "wrong", None, &["alice"]);
    let args = ["sync", "push"];
    let mut command = command(&desk, &servers.s3, &args);
    let ran = desk.ran(command.env("AWS_SECRET_ACCESS_KEY", "not-that-one"), &args);
    let ran = ran.code(16).stdout("");
    assert_eq!(
        ran.stderr,
        "error: cannot read from `s3://bucket/wrong`: the store refuses: the credentials are wrong, or may not do this (403 \
         SignatureDoesNotMatch)\nhint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials \
         (AWS_PROFILE chooses among several)\n"
    );
}
