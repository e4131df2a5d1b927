//! Runs of a test with no way to another machine: the test starts itself again in a network namespace that has
//! nothing but the loopback interface, where the system has such a thing.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Names the test that runs inside.
const INSIDE: &str = "CODEX_MANAGER_TEST_INSIDE";

/// The full name of the test function that this stands in, as the harness selects it.
macro_rules! test_name {
    () => {{
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        let name = name.strip_suffix("::here").unwrap_or(name);
        name.split_once("::").map_or(name, |(_, name)| name)
    }};
}
pub(crate) use test_name;

/// Runs `body`, all of the test called `name` (see [`test_name`]), in a process that reaches this machine alone.
pub fn loopback(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return body();
    }
    if !can_be_cut_off() {
        eprintln!("{name} runs with the network at hand: `unshare` does not work here");
        return body();
    }
    let (passed, said) = inside(name);
    assert!(passed, "{name}, cut off from the network:\n{said}");
}

fn cut_off() -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["-r", "-n", "sh", "-c"])
        .arg("ip link set lo up && exec \"$0\" \"$@\"");
    command
}

fn can_be_cut_off() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut probe = cut_off();
        probe
            .arg("true")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    })
}

/// Whether that test, and just one, ran and passed; with what it said.
fn inside(name: &str) -> (bool, String) {
    let output = cut_off()
        .arg(std::env::current_exe().expect("its own path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .stdin(Stdio::null())
        .output()
        .expect("starts");
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (
        output.status.success() && said.contains("test result: ok. 1 passed;"),
        said,
    )
}

/// Fails on purpose inside; outside it is no more than this.
#[test]
fn what_fails_inside() {
    assert!(std::env::var_os(INSIDE).is_none(), "told to fail");
}

#[test]
fn a_test_that_fails_or_is_not_there_fails_outside() {
    if !can_be_cut_off() {
        return;
    }
    let (passed, said) = inside("loopback::what_fails_inside");
    assert!(!passed && said.contains("told to fail"), "{said}");
    let (passed, said) = inside("loopback::nobody_wrote_this");
    assert!(!passed && said.contains("0 passed"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn inside_there_is_no_way_out() {
    if !can_be_cut_off() {
        return;
    }
    loopback(test_name!(), || {
        let devices = std::fs::read_to_string("/proc/net/dev").expect("reads");
        let names: Vec<_> = devices
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.trim())
            .collect();
        assert_eq!(names, ["lo"]);
    });
}
