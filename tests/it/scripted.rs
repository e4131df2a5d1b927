//! A `codex` that says what a test tells it to, as no real one would on demand: garbage, halves, floods, silence,
//! children left behind; and every shape that releases before the newest answer in.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::Env;

/// Bytes of a flood.
const FLOOD: u32 = 100_000_000;

/// One thing that the script does.
#[derive(Clone, Debug)]
pub enum Do {
    /// Answers the request it stands under.
    Answer(Value),
    /// Answers it in two halves, wherever the bytes fall, with this many seconds between.
    Halves(Value, f32),
    /// Answers it that many seconds later, and meanwhile goes on.
    Later(Value, f32),
    /// Refuses it.
    Refuse(i32, String),
    /// A line on stdout.
    Say(String),
    /// A line on stderr.
    Complain(String),
    /// Many lines on stdout, or on stderr.
    Flood,
    FloodOfComplaints,
    /// One very long line on stdout.
    LongLine,
    /// Waits as many seconds.
    Wait(f32),
    /// Ends with this exit code.
    Exit(i32),
    /// Any other shell command.
    Shell(&'static str),
}

impl Do {
    /// As lines of the shell, where `$id` is the id of the request.
    fn shell(&self) -> String {
        let answer = |result: &Value| {
            format!(
                "printf '{{\"id\":%s,\"result\":%s}}\\n' \"$id\" {}",
                quoted(&result.to_string())
            )
        };
        match self {
            Self::Answer(result) => answer(result),
            Self::Later(result, seconds) => {
                format!("( sleep {seconds}; {} ) &", answer(result))
            }
            Self::Halves(result, seconds) => {
                let text = format!(",\"result\":{result}}}\\n").replace("\\n", "\n");
                let (one, other) = text.as_bytes().split_at(text.len() / 2);
                format!(
                    "printf '{{\"id\":%s' \"$id\"; printf '{}'; sleep {seconds}; printf '{}'",
                    octal(one),
                    octal(other)
                )
            }
            Self::Refuse(code, message) => {
                let error = json!({"code": code, "message": message});
                format!(
                    "printf '{{\"error\":%s,\"id\":%s}}\\n' {} \"$id\"",
                    quoted(&error.to_string())
                )
            }
            Self::Say(line) => format!("printf '%s\\n' {}", quoted(line)),
            Self::Complain(line) => format!("printf '%s\\n' {} >&2", quoted(line)),
            Self::Flood => {
                let noise = json!({"method": "made/up", "params": {"noise": "x".repeat(4000)}});
                flood(&format!("yes {}", quoted(&noise.to_string())))
            }
            Self::FloodOfComplaints => format!("{} >&2", flood("yes 'WARN made up'")),
            Self::LongLine => format!("{}; echo", flood("yes | tr -d '\\n'")),
            Self::Wait(seconds) => format!("sleep {seconds}"),
            Self::Exit(code) => format!("exit {code}"),
            Self::Shell(command) => (*command).to_owned(),
        }
    }
}

/// That many bytes of it, to the end of a line.
fn flood(endless: &str) -> String {
    format!("{{ {endless} | head -c {FLOOD}; echo; }}")
}

/// One word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// As the shell's `printf` takes any byte.
fn octal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:03o}");
        text
    })
}

/// A script under way: a test changes of [`Script::new`] what it is about.
#[derive(Clone, Debug)]
pub struct Script {
    first: Vec<Do>,
    /// For each method what is done at the first request, the second and so on; the last holds for all that follow.
    answers: Vec<(&'static str, Vec<Vec<Do>>)>,
    last: Vec<Do>,
}

impl Script {
    /// Answers `initialize`, `account/read` and `account/rateLimits/read` as the newest Codex does.
    pub fn new(account: Value, limits: Value) -> Self {
        let server = json!({
            "userAgent": "codex_manager/0.169.0 (made up)",
            "codexHome": "/made/up",
            "platformFamily": "unix",
            "platformOs": "linux",
        });
        let script = Self {
            first: Vec::new(),
            answers: Vec::new(),
            last: Vec::new(),
        };
        script
            .on("initialize", [Do::Answer(server)])
            .on("account/read", [Do::Answer(account)])
            .on("account/rateLimits/read", [Do::Answer(limits)])
    }

    /// What is done before anything is read.
    pub fn first(mut self, all: impl IntoIterator<Item = Do>) -> Self {
        self.first = all.into_iter().collect();
        self
    }

    /// What is done at every request of this method, instead of what was to be done.
    pub fn on(mut self, method: &'static str, all: impl IntoIterator<Item = Do>) -> Self {
        self.answers.retain(|(known, _)| *known != method);
        self.answers.push((method, vec![all.into_iter().collect()]));
        self
    }

    /// What is done at the requests of this method after those that are told of already.
    pub fn then(mut self, method: &str, all: impl IntoIterator<Item = Do>) -> Self {
        for (known, turns) in &mut self.answers {
            if *known == method {
                turns.push(all.into_iter().collect());
                return self;
            }
        }
        panic!("nothing was said of {method}");
    }

    /// What is done when nothing more is to be read.
    pub fn last(mut self, all: impl IntoIterator<Item = Do>) -> Self {
        self.last = all.into_iter().collect();
        self
    }

    /// Puts it into this world. PATH for a command that is to find it.
    pub fn install(&self, env: &Env) -> Scripted {
        let dir = env.beside_home("scripted");
        fs::create_dir_all(&dir).expect("makes");
        let program = dir.join("codex");
        fs::write(&program, self.text(&dir)).expect("writes");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("sets");
        Scripted { dir }
    }

    fn text(&self, dir: &Path) -> String {
        let all = |all: &[Do]| {
            all.iter()
                .fold(String::new(), |text, one| text + &one.shell() + "\n")
        };
        let dir = quoted(&dir.display().to_string());
        let mut text = format!(
            "#!/bin/sh\ndir={dir}\nenv >\"$dir/environment\"\nPATH=/usr/bin:/bin\n\
             printf '%s\\n' \"$*\" >>\"$dir/runs\"\n{}while IFS= read -r line; do\n\
             printf '%s\\n' \"$line\" >>\"$dir/asked\"\n\
             id=${{line#*'\"id\":'}}; id=${{id%%[,\\}}]*}}\ncase $line in\n",
            all(&self.first)
        )
        .replacen("env >", "/usr/bin/env >", 1);
        for (number, (method, turns)) in self.answers.iter().enumerate() {
            let _ = write!(
                text,
                "*'\"method\":\"{method}\"'*)\nturn{number}=$((turn{number} + 1))\ncase $turn{number} in\n"
            );
            for (turn, each) in turns.iter().enumerate() {
                let pattern = match turn + 1 {
                    last if last == turns.len() => "*".to_owned(),
                    turn => turn.to_string(),
                };
                let _ = write!(text, "{pattern})\n:\n{};;\n", all(each));
            }
            text += "esac ;;\n";
        }
        text + "esac\ndone\n" + &all(&self.last) + "exit 0\n"
    }
}

/// A script in its world.
pub struct Scripted {
    dir: PathBuf,
}

impl Scripted {
    /// The directory it is `codex` in, as a PATH.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What it was asked, in order: whole lines.
    pub fn asked(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.dir.join("asked")).unwrap_or_default();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// The methods of [`Scripted::asked`].
    pub fn methods(&self) -> Vec<String> {
        let methods = self.asked();
        let method = |asked: &Value| asked["method"].as_str().unwrap_or_default().to_owned();
        methods.iter().map(method).collect()
    }

    /// The arguments of every run.
    pub fn runs(&self) -> Vec<String> {
        let runs = fs::read_to_string(self.dir.join("runs")).unwrap_or_default();
        runs.lines().map(str::to_owned).collect()
    }

    /// What a variable was set to when it last ran.
    pub fn variable(&self, name: &str) -> Option<String> {
        let all = fs::read_to_string(self.dir.join("environment")).expect("it ran");
        let value = all
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    }
}

/// Everything that the script prints when it reads this.
fn said(env: &Env, scripted: &Scripted, input: &str) -> (Option<i32>, String, String) {
    env.write("input", input);
    let mut command = Command::new(scripted.path().join("codex"));
    command.arg("app-server").env_clear();
    env.surround(&mut command);
    let input = fs::File::open(env.path("input")).expect("opens");
    let output = command.stdin(input).output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_script_answers_as_it_is_told() {
    let env = Env::new();
    let script = Script::new(json!({"who": "it's é"}), json!({"turn": 1}))
        .first([Do::Say("{garbage".to_owned())])
        .on("account/read", [Do::Halves(json!({"who": "it's é"}), 0.0)])
        .then(
            "account/rateLimits/read",
            [
                Do::Complain("words".to_owned()),
                Do::Refuse(-32603, "no".to_owned()),
            ],
        )
        .last([Do::Exit(7)]);
    let scripted = script.install(&env);
    let input = "{\"method\":\"account/read\",\"id\":1,\"params\":{}}\n{\"method\":\"initialized\"}\n\
                 {\"id\":\"b\",\"method\":\"account/rateLimits/read\"}\n{\"method\":\"account/rateLimits/read\",\"id\":3}\n";
    let (code, out, err) = said(&env, &scripted, input);
    assert_eq!((code, err.as_str()), (Some(7), "words\n"));
    assert_eq!(
        out,
        "{garbage\n{\"id\":1,\"result\":{\"who\":\"it's é\"}}\n{\"id\":\"b\",\"result\":{\"turn\":1}}\n\
         {\"error\":{\"code\":-32603,\"message\":\"no\"},\"id\":3}\n"
    );
    assert_eq!(
        scripted.methods(),
        [
            "account/read",
            "initialized",
            "account/rateLimits/read",
            "account/rateLimits/read"
        ]
    );
    assert_eq!(scripted.runs(), ["app-server"]);
    assert_eq!(
        scripted.variable("HOME"),
        Some(env.home().display().to_string())
    );
}
