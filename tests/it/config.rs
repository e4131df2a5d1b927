//! `config`: settings shown and changed, and which of flag, environment, file and default wins.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Env, Person};
use crate::worlds::{has_keys, json_error, mode, prints, squeezed};

const FILE: &str = ".codex-manager/config.toml";

const KEYS: &[&str] = &[
    "codex_home",
    "codex_command",
    "timezone",
    "color",
    "backup.dir",
    "backup.exclude",
    "backup.include_tmp",
    "backup.level",
    "archive.max_entries",
    "archive.max_bytes",
    "archive.max_ratio",
    "normalize.source_dir",
    "normalize.session_duration_hours",
    "normalize.inventory_path",
    "recommend.policy",
    "status.source",
    "status.command",
    "status.timeout_seconds",
    "sync.remote",
    "sync.endpoint",
    "sync.region",
    "sync.path_style",
    "sync.encrypt",
    "sync.identity",
    "sync.recipients",
    "sync.passphrase_file",
    "sync.passphrase_command",
    "sync.concurrency",
];

fn with_file(text: &str) -> Env {
    let env = Env::new();
    env.write(FILE, text);
    env
}

#[test]
fn list_shows_every_setting_and_where_it_comes_from() {
    let env = Env::new();
    let ran = env.run(&["config", "list"]).code(0).stderr("");
    assert_eq!(
        squeezed(&ran.stdout),
        "\
SETTING  VALUE  FROM  WHAT IT IS
codex_home  ~/.codex  default  the Codex home that is captured and restored
codex_command  codex  default  the Codex that is asked: a path, a name on PATH or a command line
timezone  Asia/Kolkata  default  IANA zone of wall clocks and file names
color  auto  default  when to colour
backup.dir  ~/.codex-manager/backups  default  where snapshots are kept
backup.exclude  -  default  glob patterns that backups leave out
backup.include_tmp  false  default  also capture tmp/ and .tmp/
backup.level  1  default  how hard to compress: 1 is fastest, 12 smallest
archive.max_entries  100000  default  the most files and directories an archive may hold
archive.max_bytes  1099511627776  default  the most bytes an archive may unpack to
archive.max_ratio  200  default  how many times its own length an archive may unpack to
normalize.source_dir  ~/.codex  default  where legacy login copies lie
normalize.session_duration_hours  2.0  default  assumed hours from a session's start to its quota's end
normalize.inventory_path  ~/.codex-manager/inventory.json  default  the inventory file
recommend.policy  lru  default  how the next account is chosen
status.source  auto  default  who says what is left of an account
status.command  -  default  command that prints Codex's /status panel
status.timeout_seconds  30  default  how many seconds asking may take
sync.remote  -  default  where snapshots are carried: s3://, gs://, az://, http(s):// or file:///
sync.endpoint  -  default  the address of an S3 store that is not Amazon's
sync.region  -  default  the region of an S3 store
sync.path_style  false  default  the bucket stands in the path of an S3 store's addresses
sync.encrypt  true  default  encrypt what is carried to the remote
sync.identity  ~/.codex-manager/identity.txt  default  the age identity, or the SSH key, that opens what is on the remote
sync.recipients  -  default  whom it is encrypted to besides: age1…, ssh-ed25519 …
sync.passphrase_file  -  default  a file whose first line is the identity's passphrase
sync.passphrase_command  -  default  a command that prints the identity's passphrase
sync.concurrency  8  default  how many transfers go on at once
"
    );
    assert_eq!(env.files(""), [""; 0]);
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn the_documents_have_the_keys_of_the_contract() {
    let env = with_file("timezone = \"UTC\"\n[backup]\nexclude = [\"*.log\", \"b\"]\n");
    let document = env
        .run(&["config", "list", "--json"])
        .code(0)
        .stderr("")
        .json();
    has_keys(&document, &["settings"], &[]);
    has_keys(&document["settings"], KEYS, &[]);
    for key in KEYS {
        has_keys(&document["settings"][key], &["value", "from"], &[]);
    }
    let setting = |key: &str| document["settings"][key].clone();
    assert_eq!(
        setting("timezone"),
        json!({"value": "UTC", "from": "config.toml"})
    );
    assert_eq!(
        setting("backup.exclude"),
        json!({"value": ["*.log", "b"], "from": "config.toml"})
    );
    assert_eq!(
        setting("status.command"),
        json!({"value": null, "from": "default"})
    );
    assert_eq!(
        setting("backup.include_tmp"),
        json!({"value": false, "from": "default"})
    );
    assert_eq!(
        setting("status.timeout_seconds"),
        json!({"value": 30, "from": "default"})
    );
    assert_eq!(
        env.run(&["config", "get", "timezone", "--json"])
            .code(0)
            .stderr("")
            .json(),
        json!({"key": "timezone", "value": "UTC", "from": "config.toml"})
    );
    assert_eq!(
        env.run(&["config", "path", "--json"])
            .code(0)
            .stderr("")
            .json(),
        json!({"path": "~/.codex-manager/config.toml"})
    );
}

#[test]
fn set_get_and_unset() {
    let env = Env::new();
    for (key, value, shown) in [
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("color", "never", "never"),
        ("codex_home", "~/elsewhere", "~/elsewhere"),
        ("backup.dir", "kept", "~/.codex-manager/kept"),
        ("backup.exclude", "*.log, b*", "*.log, b*"),
        ("backup.exclude", "[\"a,b\"]", "a,b"),
        ("backup.include_tmp", "true", "true"),
        ("normalize.session_duration_hours", "1.5", "1.5"),
        ("normalize.session_duration_hours", "3", "3"),
        ("recommend.policy", "drain", "drain"),
        ("status.command", "cat panel", "cat panel"),
        ("status.timeout_seconds", "86400", "86400"),
        ("archive.max_entries", "12", "12"),
        ("archive.max_bytes", "1125899906842624", "1125899906842624"),
        ("archive.max_ratio", "1032", "1032"),
    ] {
        env.run(&["config", "set", key, value])
            .code(0)
            .stdout("")
            .stderr(&format!("{key} = {value}\n"));
        env.run(&["config", "get", key])
            .code(0)
            .stdout(&format!("{shown}\n"))
            .stderr("");
    }
    env.run(&["config", "unset", "timezone"])
        .code(0)
        .stdout("")
        .stderr("timezone returned to its default\n");
    env.run(&["config", "unset", "timezone"])
        .code(0)
        .stdout("")
        .stderr("timezone was not set\n");
    env.run(&["config", "get", "timezone"])
        .code(0)
        .stdout("Asia/Kolkata\n");
    env.run(&["config", "set", "timezone", "UTC", "--quiet"])
        .code(0)
        .stdout("")
        .stderr("");
    assert_eq!(mode(&env.path(FILE)) & 0o077, 0);
    assert_eq!(mode(&env.path(".codex-manager")) & 0o077, 0);
}

#[test]
fn edits_keep_comments_and_every_other_line() {
    let env = with_file(
        "# mine\n\ntimezone = \"UTC\" # servers\ncolor  =  'auto'\n\n[backup]\n# the big disk\ndir = \"/big\" # for now\n",
    );
    for args in [
        &["timezone", "Europe/Berlin"],
        &["backup.include_tmp", "true"],
        &["recommend.policy", "drain"],
        &["backup.dir", "/bigger"],
    ] {
        env.run(&[&["config", "set"], &args[..]].concat()).code(0);
    }
    env.run(&["config", "unset", "color"]).code(0);
    assert_eq!(
        env.read(FILE),
        "# mine\n\ntimezone = \"Europe/Berlin\" # servers\n\n[backup]\n# the big disk\ndir = \"/bigger\" # for now\ninclude_tmp = true\n\n[recommend]\npolicy = \"drain\"\n"
    );
}

#[test]
fn what_says_the_same_is_not_written() {
    let env = with_file("timezone = \"UTC\"\n");
    env.touch(FILE, "2026-04-01T00:00:00Z");
    let file = |env: &Env| {
        let mut prints = prints(&env.path(".codex-manager"));
        prints.retain(|(path, ..)| path.ends_with("config.toml"));
        prints
    };
    let before = file(&env);
    env.run(&["config", "set", "timezone", "UTC"]).code(0);
    env.run(&["config", "unset", "color"]).code(0);
    assert_eq!(file(&env), before);
}

#[test]
fn a_dry_run_writes_nothing() {
    let env = Env::new();
    env.run(&["config", "set", "color", "never", "--dry-run"])
        .code(0)
        .stdout("")
        .stderr("dry run: color = never\n");
    assert!(!env.path(".codex-manager").exists());
    let env = with_file("color = \"never\"\n");
    let before = prints(&env.home());
    env.run(&["config", "unset", "color", "--dry-run"])
        .code(0)
        .stdout("")
        .stderr("dry run: color returned to its default\n");
    env.run(&["config", "set", "color", "blue", "--dry-run"])
        .code(2);
    assert_eq!(prints(&env.home()), before);
}

#[test]
fn an_unknown_key_is_told_with_the_nearest() {
    let env = Env::new();
    for args in [
        &["config", "get", "timezon"][..],
        &["config", "set", "timezon", "UTC"],
        &["config", "unset", "timezon"],
    ] {
        env.run(args).code(2).stdout("").stderr(
            "error: there is no setting `timezon`\n\
             hint: did you mean `timezone`?\n",
        );
    }
    for (typed, meant) in [
        ("policy", "recommend.policy"),
        ("backup.exlude", "backup.exclude"),
        ("status.timeout", "status.timeout_seconds"),
    ] {
        env.run(&["config", "get", typed])
            .code(2)
            .stdout("")
            .stderr(&format!(
                "error: there is no setting `{typed}`\n\
             hint: did you mean `{meant}`?\n"
            ));
    }
    let ran = env
        .run(&["config", "get", "zzz", "--json"])
        .code(2)
        .stdout("");
    assert_eq!(
        json_error(&ran),
        (
            "usage".to_owned(),
            "there is no setting `zzz`".to_owned(),
            "there are: codex_home, codex_command, timezone, color, backup.dir, backup.exclude, backup.include_tmp, backup.level, archive.max_entries, archive.max_bytes, archive.max_ratio, normalize.source_dir, normalize.session_duration_hours, normalize.inventory_path, recommend.policy, status.source, status.command, status.timeout_seconds, sync.remote, sync.endpoint, sync.region, sync.path_style, sync.encrypt, sync.identity, sync.recipients, sync.passphrase_file, sync.passphrase_command, sync.concurrency".to_owned()
        )
    );
    assert!(!env.path(".codex-manager").exists());
}

#[test]
fn a_wrong_value_is_refused_and_nothing_written() {
    let env = with_file("color = \"auto\"\n");
    for (key, value, message) in [
        (
            "timezone",
            "Mars",
            "`timezone` takes an IANA time zone such as `Europe/Berlin`",
        ),
        ("color", "blue", "`color` takes one of auto, always, never"),
        (
            "recommend.policy",
            "best",
            "`recommend.policy` takes one of lru, drain",
        ),
        (
            "backup.include_tmp",
            "maybe",
            "`backup.include_tmp` takes true or false",
        ),
        ("backup.dir", "", "`backup.dir` takes a path"),
        ("status.command", "", "`status.command` takes a text"),
        (
            "status.timeout_seconds",
            "0",
            "`status.timeout_seconds` takes a whole number from 1 to 86400",
        ),
        (
            "archive.max_ratio",
            "1033",
            "`archive.max_ratio` takes a whole number from 1 to 1032",
        ),
        (
            "archive.max_entries",
            "0",
            "`archive.max_entries` takes a whole number from 1 to 100000000",
        ),
        (
            "status.timeout_seconds",
            "1.5",
            "`status.timeout_seconds` takes a whole number from 1 to 86400",
        ),
        (
            "normalize.session_duration_hours",
            "8785",
            "`normalize.session_duration_hours` takes a number of hours from 0 to 8784",
        ),
        (
            "normalize.session_duration_hours",
            "inf",
            "`normalize.session_duration_hours` takes a number of hours from 0 to 8784",
        ),
        (
            "backup.exclude",
            "[1, 2]",
            "`backup.exclude` takes a list of texts, such as [\"*.log\"]",
        ),
    ] {
        let ran = env
            .run(&["config", "set", key, value, "--json"])
            .code(2)
            .stdout("");
        let (kind, told, _) = json_error(&ran);
        assert_eq!((kind.as_str(), told.as_str()), ("usage", message));
    }
    env.run(&["config", "set", "color", "blue"])
        .code(2)
        .stdout("")
        .stderr(
            "error: `color` takes one of auto, always, never\nhint: it is for: when to colour\n",
        );
    assert_eq!(env.read(FILE), "color = \"auto\"\n");
}

#[test]
fn a_broken_file_stops_every_command_by_name_and_stays() {
    for (text, why, hint) in [
        (
            "timezone = \n",
            "line 1: string values must be quoted, expected literal string",
            "mend that line, or move the file away to start from the defaults",
        ),
        (
            "timezon = \"UTC\"\n",
            "there is no setting `timezon`",
            "did you mean `timezone`?",
        ),
        (
            "[backup]\ndirr = \"/x\"\n",
            "there is no setting `backup.dirr`",
            "did you mean `backup.dir`?",
        ),
        (
            "[extra]\nkey = 1\n",
            "there is no setting `extra`",
            "there are: codex_home, codex_command, timezone, color, backup.dir, backup.exclude, backup.include_tmp, backup.level, archive.max_entries, archive.max_bytes, archive.max_ratio, normalize.source_dir, normalize.session_duration_hours, normalize.inventory_path, recommend.policy, status.source, status.command, status.timeout_seconds, sync.remote, sync.endpoint, sync.region, sync.path_style, sync.encrypt, sync.identity, sync.recipients, sync.passphrase_file, sync.passphrase_command, sync.concurrency",
        ),
        (
            "color = \"blue\"\n",
            "`color` takes one of auto, always, never",
            "it is for: when to colour",
        ),
        (
            "[status]\ntimeout_seconds = \"30\"\n",
            "`status.timeout_seconds` takes a whole number from 1 to 86400",
            "it is for: how many seconds asking may take",
        ),
    ] {
        let env = with_file(text);
        for args in [
            &["config", "list"][..],
            &["config", "set", "color", "never"],
            &["cooldown"],
            &["normalize"],
        ] {
            env.run(args).code(1).stdout("").stderr(&format!(
                "error: the configuration `~/{FILE}` cannot be used: {why}\nhint: {hint}\n"
            ));
        }
        assert_eq!(
            env.tree(".codex-manager"),
            [("config.toml".to_owned(), text.to_owned())]
        );
    }
    let env = Env::new();
    fs::create_dir_all(env.path(FILE)).expect("makes");
    let ran = env.run(&["config", "list", "--json"]).code(1).stdout("");
    assert!(
        json_error(&ran)
            .1
            .starts_with("cannot read `~/.codex-manager/config.toml`: ")
    );
}

/// What `config list` says of one setting under these variables and flags.
fn resolved(env: &Env, variables: &[(&str, &str)], flags: &[&str], key: &str) -> (Value, String) {
    let args = [flags, &["config", "list", "--json"]].concat();
    let mut command = env.command(&args);
    command.envs(variables.iter().copied());
    let document = env.ran(&mut command, &args).code(0).json();
    let setting = &document["settings"][key];
    (
        setting["value"].clone(),
        setting["from"].as_str().expect("a text").to_owned(),
    )
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let from = |value: &str, from: &str| (Value::from(value), from.to_owned());
    let env = Env::new();
    let codex = [("CODEX_HOME", "by-variable")];
    let no_color = [("NO_COLOR", "1")];
    assert_eq!(
        resolved(&env, &[], &[], "codex_home"),
        from("~/.codex", "default")
    );
    assert_eq!(resolved(&env, &[], &[], "color"), from("auto", "default"));
    assert_eq!(
        resolved(&env, &[], &[], "timezone"),
        from("Asia/Kolkata", "default")
    );
    env.write(
        FILE,
        "codex_home = \"~/by-file\"\ntimezone = \"Europe/Berlin\"\ncolor = \"always\"\n",
    );
    assert_eq!(
        resolved(&env, &[], &[], "codex_home"),
        from("~/by-file", "config.toml")
    );
    assert_eq!(
        resolved(&env, &[], &[], "color"),
        from("always", "config.toml")
    );
    assert_eq!(
        resolved(&env, &[], &[], "timezone"),
        from("Europe/Berlin", "config.toml")
    );
    assert_eq!(
        resolved(&env, &codex, &[], "codex_home"),
        from("~/by-variable", "environment (CODEX_HOME)")
    );
    assert_eq!(
        resolved(&env, &no_color, &[], "color"),
        from("never", "environment (NO_COLOR)")
    );
    assert_eq!(
        resolved(&env, &codex, &["--codex-home", "by-flag"], "codex_home"),
        from("~/by-flag", "flag")
    );
    assert_eq!(
        resolved(&env, &no_color, &["--color", "always"], "color"),
        from("always", "flag")
    );
    assert_eq!(
        resolved(&env, &[], &["--timezone", "UTC"], "timezone"),
        from("UTC", "flag")
    );
    // An empty variable is none.
    assert_eq!(
        resolved(
            &env,
            &[("CODEX_HOME", ""), ("NO_COLOR", "")],
            &[],
            "codex_home"
        ),
        from("~/by-file", "config.toml")
    );
}

#[test]
fn what_is_listed_is_what_is_used() {
    let mut env = Env::new();
    let alice = Person::named("alice");
    env.write("by-file/auth.json", &alice.auth_json());
    env.write("by-variable/auth.json", &Person::named("bob").auth_json());
    env.write("by-flag/auth.json", &Person::named("carol").auth_json());
    env.write(".codex/auth.json", &Person::named("dave").auth_json());
    env.set_now("2026-04-19T15:30:00+05:30");
    let active = |env: &Env, variables: &[(&str, &str)], flags: &[&str]| {
        let args = [flags, &["cooldown", "--json"]].concat();
        let mut command = env.command(&args);
        command.envs(variables.iter().copied());
        let document = env.ran(&mut command, &args).code(0).json();
        (
            document["accounts"][0]["email"]
                .as_str()
                .expect("an email")
                .to_owned(),
            document["now"].as_str().expect("a time").to_owned(),
        )
    };
    let told = |email: &str, now: &str| (email.to_owned(), now.to_owned());
    let variable = [("CODEX_HOME", "by-variable")];
    let kolkata = "2026-04-19T15:30:00+05:30";
    assert_eq!(active(&env, &[], &[]), told("dave@example.com", kolkata));
    env.write(FILE, "codex_home = \"~/by-file\"\ntimezone = \"UTC\"\n");
    let utc = "2026-04-19T10:00:00+00:00";
    assert_eq!(active(&env, &[], &[]), told("alice@example.com", utc));
    assert_eq!(active(&env, &variable, &[]), told("bob@example.com", utc));
    assert_eq!(
        active(
            &env,
            &variable,
            &["--codex-home", "by-flag", "--timezone", "Asia/Kolkata"]
        ),
        told("carol@example.com", kolkata)
    );
    assert_eq!(
        active(&env, &[], &["--now", "2026-04-20T00:00:00Z"]).1,
        "2026-04-20T00:00:00+00:00"
    );
}

#[test]
fn the_manager_home_is_the_flag_else_the_variables_else_the_home_that_is_there() {
    let env = Env::new();
    let path = |variables: &[(&str, &str)], flags: &[&str]| {
        let args = [flags, &["config", "path"]].concat();
        let mut command = env.command(&args);
        command.envs(variables.iter().copied());
        env.ran(&mut command, &args).code(0).stderr("").stdout
    };
    let (new, old) = (("CODEX_MANAGER_HOME", "new"), ("CODEXMGR_HOME", "old"));
    assert_eq!(path(&[], &[]), "~/.codex-manager/config.toml\n");
    assert_eq!(path(&[old], &[]), "~/old/config.toml\n");
    assert_eq!(path(&[old, new], &[]), "~/new/config.toml\n");
    assert_eq!(
        path(&[old, new], &["--manager-home", "flag"]),
        "~/flag/config.toml\n"
    );
    assert_eq!(
        path(&[], &["--manager-home", "~/flag"]),
        "~/flag/config.toml\n"
    );
    fs::create_dir(env.path(".codexmgr")).expect("makes");
    assert_eq!(path(&[], &[]), "~/.codexmgr/config.toml\n");
    fs::create_dir(env.path(".codex-manager")).expect("makes");
    assert_eq!(path(&[], &[]), "~/.codex-manager/config.toml\n");
}

#[test]
fn what_is_missing_or_too_much_is_a_usage_error() {
    let env = Env::new();
    env.run(&["config", "set", "color"])
        .code(2)
        .stdout("")
        .stderr(
            "error: the following required arguments were not provided:\n  <VALUE>\n\n\
         Usage: codex-manager config set <KEY> <VALUE>\n\nFor more information, try '--help'.\n",
        );
    env.run(&["config", "frob"]).code(2).stdout("").stderr(
        "error: unrecognized subcommand 'frob'\n\n\
         Usage: codex-manager config [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n",
    );
}
