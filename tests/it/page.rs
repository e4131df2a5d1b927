//! `cooldown --html`: one page that needs nothing but itself, or the picture alone. In a browser: `browser`.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::common::{Env, NOW, Person};
use crate::readme::demo;
use crate::worlds::{json_error, mode, six_accounts};

fn html(file: &str) -> [&str; 3] {
    ["cooldown", "--html", file]
}

#[test]
fn a_page_of_its_own() {
    let env = six_accounts();
    env.run(&html("weeks.html"))
        .code(0)
        .stdout("wrote     weeks.html, 6 accounts\n")
        .stderr("");
    let page = env.read("weeks.html");
    if cfg!(unix) {
        assert_eq!(mode(&env.path("weeks.html")), 0o600);
    }
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"));
    for told in [
        "<title>Codex accounts, 2026-04-19 15:30</title>",
        "(Asia/Kolkata). 3 of 6 accounts usable now; the next one in 2h 10m (<time datetime=\"2026-04-19T17:40:00+05:30\">2026-04-19 17:40</time>).",
        "<desc id=\"about-wide\">alice@example.com: open · 66% left · plus; resets in 2d 0h, Tue 21 Apr 15:55. ",
        "erin@example.com: cooldown · 40% left · plus · signed in; usable in 2h 10m, Sun 19 Apr 17:40. ",
        "dora@example.com: ready · 100% left · plus; usable now. ",
        "frank@example.com: cooldown · mismatch; usable in 4d 0h, Thu 23 Apr 15:55.</desc>",
        "4d 5h ago <small><time datetime=\"2026-04-15T10:00:00+05:30\">2026-04-15 10:00</time></small>",
        "5h limit: 0% left <small>resets in 2h 10m",
    ] {
        assert!(page.contains(told), "{told}\n{page}");
    }
    // Nothing from elsewhere, and nothing that runs.
    for absent in [
        "http://",
        "https://",
        "<script",
        "url(http",
        "@import",
        " src=",
        "javascript:",
    ] {
        let found = page
            .replace("http://www.w3.org/2000/svg", "")
            .contains(absent);
        assert!(!found, "{absent}");
    }
    // The same again, over the former one; on standard output too.
    env.run(&html("weeks.html")).code(0);
    assert_eq!(env.read("weeks.html"), page);
    env.run(&html("-")).code(0).stdout(&page).stderr("");
    env.run(&[&html("weeks.html")[..], &["--quiet"]].concat())
        .code(0)
        .stdout("");
}

#[test]
fn told_as_json_and_tried_first() {
    let env = six_accounts();
    let dry = [&html("weeks.html")[..], &["--dry-run"]].concat();
    env.run(&dry)
        .code(0)
        .stdout("dry-run   weeks.html, 6 accounts\n");
    assert!(!env.path("weeks.html").exists());
    let told = env
        .run(&[&html("weeks.html")[..], &["--json"]].concat())
        .code(0)
        .json();
    let bytes = env.read("weeks.html").len();
    assert_eq!(
        told,
        json!({"mode": "wrote", "file": "weeks.html", "bytes": bytes, "accounts": 6})
    );
    let both = env
        .run(&[&html("-")[..], &["--json"]].concat())
        .code(2)
        .stdout("");
    assert_eq!(
        json_error(&both).1,
        "`--json` and a page cannot both go to standard output"
    );
}

#[test]
fn what_it_did_not_make_it_leaves() {
    let env = six_accounts();
    env.write("notes.html", "<!DOCTYPE html>\nmine\n");
    env.run(&html("notes.html")).code(1).stdout("").stderr(
        "error: `notes.html` stands there and is no page of codex-manager; nothing was changed\nhint: name another file, or remove that one\n",
    );
    assert_eq!(env.read("notes.html"), "<!DOCTYPE html>\nmine\n");
    fs::create_dir(env.path("pages")).expect("makes");
    let ran = env.run(&html("pages")).code(1).stdout("");
    assert!(
        ran.stderr.starts_with("error: cannot write `pages`: "),
        "{}",
        ran.stderr
    );
    // An empty file is nobody's, and a link stays one.
    #[cfg(unix)]
    {
        env.write("pages/real.html", "");
        std::os::unix::fs::symlink("pages/real.html", env.path("link.html")).expect("links");
        env.run(&html("link.html")).code(0);
        assert!(env.path("link.html").is_symlink());
        assert!(
            env.read("pages/real.html")
                .contains("made by codex-manager")
        );
    }
    env.run(&["cooldown", "--html", "a.html", "--timeline"])
        .code(2)
        .stdout("");
    let nobody = Env::new();
    nobody.run(&html("weeks.html")).code(10).stdout("");
    assert!(!nobody.path("weeks.html").exists());
}

#[test]
fn names_from_outside_stay_text() {
    let env = Env::at(NOW);
    let person = Person {
        email: "<b>&\"'\u{202e}\u{7}x@example.com".to_owned(),
        ..Person::named("odd")
    };
    env.codex_home(&person);
    env.write(
        ".codex-manager/profiles/odd/profile.toml",
        &format!(
            "user_id = \"{}\"\nalias = \"</title><script>alert(1)</script>\"\n",
            person.user
        ),
    );
    for file in ["odd.html", "odd.svg"] {
        env.run(&html(file)).code(0);
        let page = env.read(file);
        let shown = "&lt;b&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}x@example.com (&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;)";
        assert!(page.contains(shown), "{page}");
        for absent in ["<b>", "<script", "\u{202e}", "\u{7}"] {
            assert!(!page.contains(absent), "{absent:?}");
        }
    }
}

/// The README's picture: `sh fixtures/demo` tells how its accounts come about.
#[test]
fn the_picture_in_the_readme_is_what_comes_out() {
    let env = demo();
    let backup = ["backup", "--quiet"];
    let mut command = env.command(&backup);
    command.env("PATH", env.path("bin"));
    env.ran(&mut command, &backup).code(0);
    env.run(&html("timeline.svg"))
        .code(0)
        .stdout("wrote     timeline.svg, 5 accounts\n");
    let picture = env.read("timeline.svg");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/timeline.svg");
    if std::env::var_os("CODEX_MANAGER_TEST_ACCEPT").is_some() {
        fs::write(&kept, &picture).expect("writes");
    }
    let kept = fs::read_to_string(&kept)
        .expect("reads")
        .replace("\r\n", "\n");
    assert_eq!(picture, kept);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert!(
        fs::read_to_string(readme)
            .expect("reads")
            .contains("(.github/timeline.svg)")
    );
}

#[test]
fn nothing_is_written_where_a_file_means_something() {
    let env = six_accounts();
    for (file, whose) in [
        (".codex-manager/config.toml", "the manager home"),
        (".codex-manager/pages/weeks.html", "the manager home"),
        (".codex/AGENTS.md", "the Codex home"),
    ] {
        env.run(&html(file)).code(1).stdout("").stderr(&format!(
            "error: `{file}` lies in {whose}, where a page would be taken for something else; nothing was changed\nhint: name a \
             file elsewhere\n"
        ));
        assert!(!env.path(file).exists());
    }
}
