//! `use` between two accounts whose tokens the real Codex renews all the time: no login is lost, none is used twice.

use serde_json::{Value, json};

use crate::chatgpt::{Account, Login};
use crate::common::{Person, Ran};
use crate::live::{World, with};
use crate::loopback::test_name;
use crate::real_codex::NEWEST;
use crate::running::Server;

/// How often each account's turn comes.
const ROUNDS: usize = 10;

fn run(world: &World, args: &[&str]) -> Ran {
    world.env.ran(&mut world.command(args), args)
}

/// What a Codex of its own answers: asked as an editor asks it, and nobody tells this program.
fn asked(world: &World, requests: &[(&str, Value)]) -> Vec<Value> {
    let mut server = Server::start(world, &world.env.path(".codex"));
    let answers = requests
        .iter()
        .map(|(method, params)| server.ask(method, params));
    let answers = answers.collect();
    server.end();
    answers
}

/// Has Codex renew the login, as it does by itself when its time comes.
fn renew(world: &World, person: &Person) {
    let before = world.env.read(".codex/auth.json");
    let answers = asked(world, &[("account/read", json!({"refreshToken": true}))]);
    let email = &answers[0]["result"]["account"]["email"];
    assert_eq!(*email, json!(person.email), "{answers:?}");
    assert!(world.env.read(".codex/auth.json") != before, "not renewed");
}

/// Whoever is signed in, by their windows.
fn answers(world: &World, person: &Person) {
    let answers = asked(
        world,
        &[
            ("account/read", json!({})),
            ("account/rateLimits/read", json!({})),
        ],
    );
    let email = &answers[0]["result"]["account"]["email"];
    assert_eq!(*email, json!(person.email), "{answers:?}");
    let limits = &answers[1]["result"]["rateLimits"];
    assert!(limits["secondary"]["resetsAt"].is_i64(), "{answers:?}");
}

#[test]
fn ten_times_there_and_back_with_every_login_renewed_in_between() {
    with(test_name!(), NEWEST, |world| {
        let (alice, bob) = (world.alice.clone(), Person::named("bob"));
        for person in [&bob, &alice] {
            let mut account = Account::of(person);
            account.primary = Some(world.five_hours());
            account.secondary = Some(world.weekly());
            world.chatgpt.set(account);
            world.chatgpt.sign_in(&world.env, person, Login::Valid);
            run(world, &["status"]).code(0);
        }
        for round in 0..ROUNDS {
            for person in [&alice, &bob] {
                let target = if round == 0 {
                    person.email.as_str()
                } else {
                    "-"
                };
                let target = if round == 0 && person.email == alice.email {
                    "alice"
                } else {
                    target
                };
                run(world, &["use", target]).code(0).stderr("");
                // By an editor, by this program, and not at all.
                match round % 3 {
                    0 => renew(world, person),
                    1 => {
                        world.chatgpt.revoke(person);
                        run(world, &["status"]).code(0);
                    }
                    _ => answers(world, person),
                }
            }
        }
        // Each still signs in, with whatever is left of it, and can be renewed once more.
        for person in [&alice, &bob] {
            run(world, &["use", &person.email]).code(0);
            answers(world, person);
            renew(world, person);
            answers(world, person);
        }
        let log = world.chatgpt.log();
        let renewals: Vec<u16> = log
            .iter()
            .filter(|asked| asked.path.ends_with("/oauth/token"))
            .map(|asked| asked.status)
            .collect();
        let revoked = log
            .iter()
            .filter(|asked| asked.path.ends_with("/oauth/revoke"));
        assert_eq!(revoked.count(), 0);
        // A token that was used before would have been refused.
        assert!(renewals.iter().all(|status| *status == 200), "{renewals:?}");
        assert!(renewals.len() >= 14, "{renewals:?}");
    });
}
