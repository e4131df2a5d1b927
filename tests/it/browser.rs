//! The page of `cooldown --html` in a real browser, headless Chromium: it asks nobody for anything, no text lies on another
//! one, and bars are where the times are. The browser and what drives it come from npm, into `target/browser`.
//!
//! What it looked like is kept in `target/browser/shots`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{NOW, Person};
use crate::tables::world;
use crate::worlds::{six_accounts, snapshot};

const PACKAGES: [&str; 2] = ["@sparticuz/chromium@147.0.0", "puppeteer-core@24.43.1"];

const DRIVER: &str = include_str!("browser.mjs");

/// Where the packages are; they are installed if they are not yet.
fn installed() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("there is a browser for Linux on x86-64 alone".to_owned());
    }
    let broken = |error: std::io::Error| error.to_string();
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/browser");
    fs::create_dir_all(&home).map_err(broken)?;
    // One at a time, among processes too.
    let lock = fs::File::create(home.join("lock")).map_err(broken)?;
    lock.lock().map_err(broken)?;
    let place = home.join(PACKAGES.join("-").replace(['@', '/'], "_"));
    if !place.exists() {
        // Renamed when whole: a broken install is never taken for one.
        let coming = tempfile::tempdir_in(&home).map_err(broken)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .args(["--loglevel", "error", "--prefix"])
            .arg(coming.path())
            .args(PACKAGES);
        answer(&mut npm, "")?;
        fs::rename(coming.keep(), &place).map_err(broken)?;
    }
    Ok(place)
}

/// Stdout of a command that must succeed; else what it said.
fn answer(command: &mut Command, input: &str) -> Result<String, String> {
    let broken = |error: std::io::Error| error.to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(broken)?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(input.as_bytes()).map_err(broken)?;
    drop(stdin);
    let output = child.wait_with_output().map_err(broken)?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?}: {}\n{said}", output.status))
}

/// What Chromium says of the pages; None, said on stderr, where the machine cannot have it; a gate must not pass that way.
fn seen(pages: &[PathBuf]) -> Option<Vec<Value>> {
    let told = installed().and_then(|place| {
        let shots = place.with_file_name("shots");
        let unpacked = place.join("unpacked");
        let profile = tempfile::tempdir().map_err(|error| error.to_string())?;
        for dir in [&shots, &unpacked] {
            fs::create_dir_all(dir).map_err(|error| error.to_string())?;
        }
        let ask = |lambda: bool| {
            let mut node = Command::new("node");
            node.args(["--input-type=module", "-"])
                .args([&shots, profile.path()])
                .args(pages)
                .current_dir(&place)
                .env(
                    "TMPDIR",
                    if lambda {
                        place.join("with-libraries")
                    } else {
                        unpacked.clone()
                    },
                );
            if lambda {
                // Then the package unpacks the libraries too that a bare system lacks.
                fs::create_dir_all(place.join("with-libraries"))
                    .map_err(|error| error.to_string())?;
                node.env("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x");
            }
            answer(&mut node, DRIVER)
        };
        ask(false).or_else(|why| {
            if why.contains("shared libraries") {
                ask(true)
            } else {
                Err(why)
            }
        })
    });
    match told {
        Ok(told) => Some(serde_json::from_str(&told).expect("JSON")),
        Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not looked at in a browser: {why}");
            None
        }
    }
}

/// A box of the page.
#[derive(Clone, Copy, Debug)]
struct Box {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Box {
    fn of(value: &Value) -> Self {
        let side = |name: &str| {
            value[name]
                .as_f64()
                .unwrap_or_else(|| panic!("no {name}: {value}"))
        };
        Self {
            left: side("left"),
            top: side("top"),
            right: side("right"),
            bottom: side("bottom"),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        const SLACK: f64 = 0.5;
        self.left >= other.left - SLACK
            && self.right <= other.right + SLACK
            && self.top >= other.top - SLACK
            && self.bottom <= other.bottom + SLACK
    }

    /// Lines stand close: what is above and below the letters may touch.
    fn overlaps(&self, other: &Self) -> bool {
        let apart = |low: f64, high: f64| high - low < 2.0;
        !(apart(self.left.max(other.left), self.right.min(other.right))
            || apart(
                self.top.max(other.top) + 1.0,
                self.bottom.min(other.bottom) - 1.0,
            ))
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name}"))
}

fn unix(time: &Value) -> f64 {
    let time = time.as_str().expect("a time");
    let time = chrono::DateTime::parse_from_rfc3339(time).expect("a time");
    f64::from(i32::try_from(time.timestamp()).expect("before 2038"))
}

/// No request, no complaint, nothing over the edge, no text on another.
fn is_sound(seen: &Value) {
    let what = format!("{} at {}", seen["scheme"], seen["asked"]);
    let requests: Vec<&str> = list(seen, "requests")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let from_elsewhere = |url: &&&str| !url.starts_with("data:");
    assert_eq!(
        requests.iter().filter(from_elsewhere).count(),
        1,
        "{what}: {requests:?}"
    );
    assert!(
        list(seen, "complaints").is_empty(),
        "{what}: {}",
        seen["complaints"]
    );
    assert_eq!(seen["width"], seen["scrollWidth"], "{what}");
    assert!(
        seen["contrast"].as_f64().expect("a ratio") >= 4.5,
        "{what}: {}",
        seen["contrast"]
    );
    let [svg] = list(seen, "svg") else {
        panic!("{what}: not one picture: {}", seen["svg"])
    };
    let picture = Box::of(svg);
    let window = Box {
        left: 0.0,
        top: 0.0,
        right: seen["width"].as_f64().expect("a width"),
        bottom: f64::MAX,
    };
    assert!(picture.is_within(&window), "{what}: {picture:?}");
    let texts = |name| -> Vec<(&str, Box)> {
        let all = list(seen, name).iter();
        all.map(|text| (text["text"].as_str().expect("a text"), Box::of(text)))
            .collect()
    };
    for (all, frame) in [(texts("texts"), picture), (texts("words"), window)] {
        assert!(all.len() > 10, "{what}: {all:?}");
        for (place, (text, edge)) in all.iter().enumerate() {
            assert!(
                edge.is_within(&frame),
                "{what}: `{text}` {edge:?} is outside of {frame:?}"
            );
            for (other, others) in &all[place + 1..] {
                assert!(
                    !edge.overlaps(others),
                    "{what}: `{text}` {edge:?} on `{other}` {others:?}"
                );
            }
        }
    }
    for lane in list(seen, "lanes") {
        for part in list(lane, "parts") {
            assert!(
                Box::of(part).is_within(&picture),
                "{what}: {part} of {}",
                lane["account"]
            );
        }
    }
}

/// Bars begin and end where the document's times are on the axis of these days.
fn is_in_place(seen: &Value, accounts: &Value, now: f64, days: [&str; 2]) {
    let what = format!("{} at {}", seen["scheme"], seen["asked"]);
    let svg = &seen["svg"][0];
    let [from, to] = days.map(|day| unix(&Value::from(day)));
    assert_eq!(
        (svg["from"].as_f64(), svg["to"].as_f64()),
        (Some(from), Some(to)),
        "{what}"
    );
    // The axis, by the lines of its days: the first, and the second.
    let mut lines: Vec<f64> = list(seen, "grid")
        .iter()
        .map(Box::of)
        .filter(|line| line.right - line.left < 3.0)
        .map(|line| f64::midpoint(line.left, line.right))
        .collect();
    lines.sort_by(f64::total_cmp);
    let day = (lines[1] - lines[0]) / 86_400.0;
    let x = |at: f64| lines[0] + (at - from) * day;
    let near = |one: f64, two: f64| (one - two).abs() <= 1.0;
    let line = Box::of(&seen["now"][0]);
    assert!(
        near(f64::midpoint(line.left, line.right), x(now)),
        "{what}: now at {line:?}"
    );
    let accounts = accounts["accounts"].as_array().expect("accounts");
    assert_eq!(list(seen, "lanes").len(), accounts.len());
    for (lane, account) in list(seen, "lanes").iter().zip(accounts) {
        let email = account["email"].as_str().expect("an email");
        assert!(
            lane["account"].as_str().expect("a name").starts_with(email),
            "{what}: {lane}"
        );
        let part = |class: &str| {
            let part = list(lane, "parts")
                .iter()
                .find(|part| part["what"] == class);
            part.map(Box::of)
        };
        let edges = |part: Box| (part.left, part.right);
        let is_at = |class: &str, from: f64, to: f64| {
            let (left, right) =
                edges(part(class).unwrap_or_else(|| panic!("{what}: no {class} of {email}")));
            assert!(
                near(left, x(from)) && near(right, x(to)),
                "{what}: {class} of {email} from {left} to {right}, not {} to {}",
                x(from),
                x(to)
            );
        };
        if account["session_start_at"].is_null() {
            assert!(
                part("past").is_none() && part("open").is_none(),
                "{what}: {email}"
            );
            continue;
        }
        let (start, next) = (
            unix(&account["session_start_at"]),
            unix(&account["next_available_at"]),
        );
        let usable = unix(&account["usable_at"]);
        is_at("past", start.max(from), now.min(next));
        match account["status"].as_str() {
            Some("open") => is_at("open", now, next),
            Some("cooldown") => {
                is_at("held", now, usable);
                if usable < next {
                    is_at("open", usable, next);
                }
            }
            _ => assert!(
                part("held").is_none() && part("open").is_none(),
                "{what}: {email}"
            ),
        }
        let diamond = part("next").expect("a next availability");
        assert!(
            near(f64::midpoint(diamond.left, diamond.right), x(next)),
            "{what}: {email}"
        );
    }
}

/// The ground is as light or dark as was asked for, and bars have their colours where they are.
fn has_its_colors(seen: &Value) {
    let colors = seen["colors"].as_object().expect("colours");
    let light = |name: &str| -> u64 {
        let color = colors[name].as_array().expect("a colour");
        color.iter().filter_map(Value::as_u64).sum()
    };
    let is_dark = seen["scheme"] == "dark";
    assert_eq!(light("ground") < 200, is_dark, "{}", seen["scheme"]);
    let open = colors["alice@example.com open"]
        .as_array()
        .expect("a colour");
    let [red, green, blue] = [0, 1, 2].map(|part| open[part].as_u64().expect("a share"));
    assert!(green > red + 50 && green > blue + 50, "{open:?}");
    assert_eq!(light("bob@example.com past") < 300, is_dark);
}

#[test]
fn it_is_right_light_and_dark_at_every_width() {
    let env = six_accounts();
    env.run(&["cooldown", "--html", "weeks.html"]).code(0);
    // Names that are long, wide, or of another direction, and some that would be more than text.
    let mut odd = world();
    for (email, id) in [
        ("<i onload=alert(1)>&amp;\u{202e}@example.com", "markup"),
        ("WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW@EXAMPLE.COM", "broad"),
        ("שלום.עולם@example.com", "hebrew"),
    ] {
        let person = Person {
            email: email.to_owned(),
            plan: "a plan that is called by quite some words".to_owned(),
            ..Person::named(id)
        };
        let panel = Person::named("nobody").panel(12, "15:55 on 21 Apr");
        let panel = panel.replace("  Account:             nobody@example.com (Plus)\n", "");
        snapshot(&mut odd, &person, &panel, "2026-04-19T15:00:00+05:30");
    }
    odd.set_now(NOW);
    odd.run(&["cooldown", "--html", "odd.html"]).code(0);
    let Some(seen) = seen(&[env.path("weeks.html"), odd.path("odd.html")]) else {
        return;
    };
    assert_eq!(seen.len(), 12);
    let document = env.run(&["cooldown", "--json"]).code(0).json();
    let now = unix(&document["now"]);
    let days = ["2026-04-13T00:00:00+05:30", "2026-04-24T00:00:00+05:30"];
    for seen in &seen {
        is_sound(seen);
        if seen["name"] == "weeks" {
            is_in_place(seen, &document, now, days);
            has_its_colors(seen);
        }
    }
}
