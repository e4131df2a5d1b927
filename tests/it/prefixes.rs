//! Accounts, profiles and archives by the beginning of their names: it stands for one name alone, and a whole name goes
//! before it.

use crate::common::{Env, Person};

/// Snapshots and profiles of bob, bobby and carol; carol's alias is `boss`, dan has a profile alone and is signed in.
fn world() -> Env {
    let env = Env::at("2026-04-19T15:30:00+05:30");
    for (name, resets) in [
        ("bob", "10:20 on 20 Apr"),
        ("bobby", "11:20 on 20 Apr"),
        ("carol", "18:00 on 20 Apr"),
        ("dan", "18:00 on 21 Apr"),
    ] {
        let person = Person::named(name);
        env.codex_home(&person);
        env.write("status.txt", &person.panel(66, resets));
        env.run(&["backup", "--status-file", "status.txt", "--auth-only"])
            .code(0);
    }
    env.run(&["profile", "set", "carol", "alias=boss"]).code(0);
    env
}

const BOTH: &str =
    "bob@example.com (ws-bob), bobby@example.com (ws-bobby), carol@example.com (ws-carol)";

#[test]
fn an_account_goes_by_the_beginning_of_any_of_its_names() {
    let env = world();
    let used = |name: &str| {
        let ran = env.run(&["use", name, "--dry-run", "--json"]).code(0);
        ran.json()["email"].as_str().expect("one").to_owned()
    };
    for (typed, email) in [
        ("ca", "carol@example.com"),
        ("CAROL@", "carol@example.com"),
        ("bos", "carol@example.com"),
        ("bobb", "bobby@example.com"),
        ("bob@", "bob@example.com"),
        // A whole name goes before what begins so.
        ("bob", "bob@example.com"),
        ("Bob", "bob@example.com"),
        ("da", "dan@example.com"),
    ] {
        assert_eq!(used(typed), email, "{typed}");
    }
    env.run(&["use", "bo"]).code(2).stdout("").stderr(&format!(
        "error: `bo` begins more than one account: {BOTH}\nhint: type more of the name; `codex-manager cooldown` shows \
         all accounts\n"
    ));
    // One letter is too soon typed by mistake, and what is nobody's beginning is nobody.
    for typed in ["c", "", "arol", "carolx", "ca "] {
        env.run(&["use", typed]).code(10).stdout("").stderr(&format!(
            "error: no account or profile is called `{typed}`\nhint: `codex-manager cooldown` shows all accounts; \
             `codex-manager profile login NAME` signs another one in\n"
        ));
    }
}

#[test]
fn a_snapshot_goes_by_the_beginning_of_its_account_or_its_name() {
    let env = world();
    let taken = |args: &[&str]| {
        let args = [&["restore", "--dry-run", "--json"], args].concat();
        let archive = env.run(&args).code(0).json()["archive"].clone();
        let archive = archive.as_str().expect("one").to_owned();
        archive.rsplit('/').next().expect("a name").to_owned()
    };
    let bobby = "2026-04-13-112000-bobby@example.com-codex.tar.gz";
    let carol = "2026-04-13-180000-carol@example.com-codex.tar.gz";
    for (args, archive) in [
        (["bobb"].as_slice(), bobby),
        (&["boss"], carol),
        (&["bos"], carol),
        (&["--email", "CA"], carol),
        (&["2026-04-13-11"], bobby),
        // The name of a profile, as `use` takes it.
        (&["bobby"], bobby),
        // Who was signed in before dan.
        (&["-"], carol),
    ] {
        assert_eq!(taken(args), archive, "{args:?}");
    }
    let refused = |args: &[&str], names: &str| {
        let typed = args[args.len() - 1];
        env.run(&[&["restore"], args].concat())
            .code(2)
            .stdout("")
            .stderr(&format!(
                "error: `{typed}` begins more than one name: {names}\nhint: type more of it; `codex-manager list-backups` \
                 shows every archive and account there\n"
            ));
    };
    refused(
        &["bo"],
        "bob@example.com, bobby@example.com, carol@example.com",
    );
    refused(
        &["2026-04-13"],
        "2026-04-13-180000-carol@example.com-codex.tar.gz, 2026-04-13-112000-bobby@example.com-codex.tar.gz, \
         2026-04-13-102000-bob@example.com-codex.tar.gz",
    );
    refused(
        &["--email", "bo"],
        "bob@example.com, bobby@example.com, carol@example.com",
    );
    // What `list-backups --email` takes for one account is no other's here.
    env.run(&["profile", "set", "dan", "alias=bobb"]).code(0);
    for word in [&["bobb"][..], &["--email", "bobb"]] {
        assert!(taken(word).contains("-dan@example.com-"), "{word:?}");
        let list = env.run(&["list-backups", "--email", "bobb"]).code(0);
        assert!(list.stdout.contains("-dan@example.com-") && !list.stdout.contains("bobby"));
    }
    env.run(&["profile", "set", "dan", "alias="]).code(0);
    env.run(&["profile", "rename", "dan", "bobb"]).code(0);
    refused(&["--email", "bobb"], "bobby@example.com, dan@example.com");
    env.run(&["restore", "--from-archive", "2026-04-13-11"])
        .code(10)
        .stdout("");
    env.run(&["restore", "2", "--yes"]).code(10).stdout("");
}

#[test]
fn the_one_before_is_of_the_home_that_is_restored_into() {
    let env = world();
    env.run(&["restore", "-", "--dest-dir", "other", "--dry-run"])
        .code(10)
        .stdout("")
        .stderr(
            "error: it is not known who was signed in to `~/other` before\nhint: name the account; `codex-manager \
             cooldown` shows all of them\n",
        );
}

#[test]
fn many_archives_that_begin_so_are_told_in_part() {
    let env = Env::new();
    for day in 10..25 {
        let person = Person::named(&format!("p{day}"));
        env.codex_home(&person);
        env.write("status.txt", &person.panel(66, "10:20 on 20 Apr"));
        env.run(&["backup", "--status-file", "status.txt", "--auth-only"])
            .code(0);
    }
    let ran = env.run(&["restore", "2026-04"]).code(2).stdout("");
    assert!(
        ran.stderr.contains("-p24@example.com-codex.tar.gz, ")
            && ran.stderr.contains(", and 5 more\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_profile_is_shown_and_changed_by_a_beginning_and_never_removed_or_made_by_one() {
    let env = world();
    env.run(&["profile", "set", "bobb", "note=the other one"])
        .code(0);
    let shown = env.run(&["profile", "show", "bobb", "--json"]).code(0);
    assert_eq!(shown.json()["note"], "the other one");
    let both = "bob: bob@example.com (ws-bob), bobby: bobby@example.com (ws-bobby), carol: carol@example.com (ws-carol)";
    env.run(&["profile", "show", "bo"]).code(2).stdout("").stderr(&format!(
        "error: `bo` is more than one profile: {both}\nhint: say which by the name before the colon\n"
    ));
    env.run(&["profile", "rename", "car", "chief"]).code(0);
    let before = env.tree(".codex-manager/profiles");
    env.run(&["profile", "remove", "chi", "--yes"])
        .code(10)
        .stdout("")
        .stderr(
            "error: there is no profile `chi`\nhint: `codex-manager profile list` shows them all\n",
        );
    assert_eq!(env.tree(".codex-manager/profiles"), before);
}

#[test]
fn a_list_is_filtered_by_a_beginning_and_nothing_is_pruned_by_one() {
    let env = world();
    let listed = |email: &str| {
        let ran = env
            .run(&["list-backups", "--email", email, "--json"])
            .code(0);
        let backups = ran.json()["backups"].clone();
        let emails = backups.as_array().expect("a list").iter();
        let emails = emails.map(|backup| backup["email"].as_str().expect("one").to_owned());
        emails.collect::<Vec<String>>()
    };
    assert_eq!(listed("bobb"), ["bobby@example.com"]);
    assert_eq!(listed("bob@example.com"), ["bob@example.com"]);
    assert_eq!(listed("bos"), ["carol@example.com"]);
    env.run(&["list-backups", "--email", "nobody"]).code(10);
    env.run(&["list-backups", "--email", "bo"])
        .code(2)
        .stdout("")
        .stderr(&format!(
            "error: `bo` begins more than one account: {BOTH}\nhint: type more of the name; `codex-manager cooldown` \
             shows all accounts\n"
        ));
    let before = env.tree(".codex-manager/backups");
    env.run(&["prune", "--keep-last", "1", "--email", "bobb"])
        .code(10)
        .stdout("");
    assert_eq!(env.tree(".codex-manager/backups"), before);
}

#[test]
fn where_only_the_workspace_tells_them_apart_more_letters_are_not_asked_for() {
    let env = world();
    let other = Person::named("bob").in_workspace("ws-other");
    env.codex_home(&other);
    env.write("status.txt", &other.panel(66, "10:20 on 21 Apr"));
    env.run(&["backup", "--status-file", "status.txt", "--auth-only"])
        .code(0);
    for args in [&["use", "bob@"][..], &["restore", "--email", "bob@"]] {
        env.run(args).code(2).stdout("").stderr(
            "error: `bob@` begins more than one account: bob@example.com (ws-bob), bob@example.com (ws-other)\nhint: they share \
             the email: say which by its profile, `codex-manager profile list` shows these\n",
        );
    }
}
