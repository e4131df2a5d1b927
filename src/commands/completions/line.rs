//! A command line as far as it is typed: which command it is of, what was said, and what the next word can be. Pure.

use clap::{Arg, ArgAction, Command};

use super::values::Candidate;

/// What was typed before the word in question.
pub struct Line<'c> {
    /// The command it is of.
    pub command: &'c Command,
    /// Options and positionals that were said, each with its value, empty where it has none.
    pub said: Vec<(&'c Arg, String)>,
    /// An option whose value comes next.
    pending: Option<&'c Arg>,
    /// How many positionals there were.
    position: usize,
    /// Whether `--` was.
    pub is_escaped: bool,
}

/// What a word is.
pub enum Place<'c, 'w> {
    /// The value of an argument: what stands before it in the word, and how it begins.
    Value {
        arg: &'c Arg,
        before: String,
        begun: &'w str,
    },
    /// A command, an option, or this positional.
    Word(Option<&'c Arg>),
}

impl<'c> Line<'c> {
    /// Reads `words`, without the program. What `root` does not know is passed over.
    pub fn read(root: &'c Command, words: &[String]) -> Self {
        let mut line = Self {
            command: root,
            said: Vec::new(),
            pending: None,
            position: 0,
            is_escaped: false,
        };
        for word in words {
            line.take(word);
        }
        line
    }

    fn take(&mut self, word: &str) {
        let is_option = !self.is_escaped && word.len() > 1 && word.starts_with('-');
        if let Some(arg) = self.pending.take()
            && !(is_option && is_optional(arg))
        {
            self.said.push((arg, word.to_owned()));
        } else if is_option && word == "--" {
            self.is_escaped = true;
        } else if is_option && word.starts_with("--") {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            self.say(self.long(name), value);
        } else if is_option {
            let letters = word.trim_start_matches('-');
            for (place, letter) in letters.char_indices() {
                let rest = letters.get(place + letter.len_utf8()..).unwrap_or_default();
                let mut all = self.command.get_arguments();
                let arg = all.find(|arg| arg.get_short() == Some(letter));
                let takes = arg.is_some_and(takes_value);
                self.say(arg, Some(rest).filter(|rest| takes && !rest.is_empty()));
                if takes {
                    break;
                }
            }
        } else {
            let is_name = !self.is_escaped && self.position == 0;
            if let Some(command) = self.command.find_subcommand(word).filter(|_| is_name) {
                self.command = command;
            } else {
                if let Some(arg) = self.positional() {
                    self.said.push((arg, word.to_owned()));
                }
                self.position += 1;
            }
        }
    }

    fn say(&mut self, arg: Option<&'c Arg>, value: Option<&str>) {
        match (arg, value) {
            (None, _) => {}
            (Some(arg), None) if takes_value(arg) => self.pending = Some(arg),
            (Some(arg), value) => self.said.push((arg, value.unwrap_or_default().to_owned())),
        }
    }

    /// The option of this name, with its dashes.
    fn long(&self, name: &str) -> Option<&'c Arg> {
        let name = name.trim_start_matches('-');
        self.command.get_arguments().find(|arg| {
            let names = arg.get_long_and_visible_aliases().unwrap_or_default();
            names.contains(&name)
        })
    }

    /// The positional that comes next.
    fn positional(&self) -> Option<&'c Arg> {
        let all = self.command.get_positionals();
        let (last, all): (Vec<_>, Vec<_>) = all.partition(|arg| arg.is_last_set());
        if let Some(last) = last.first().filter(|_| self.is_escaped) {
            return Some(last);
        }
        match all.get(self.position) {
            Some(arg) => Some(arg),
            None => all.last().copied().filter(|arg| repeats(arg)),
        }
    }

    /// What `word` is, which stands next.
    pub fn place<'w>(&self, word: &'w str) -> Place<'c, 'w> {
        let is_option = !self.is_escaped && word.starts_with('-');
        let value = match (self.pending, word.split_once('=')) {
            (Some(arg), _) if !(is_option && is_optional(arg)) => Some((arg, 0)),
            (_, Some((name, _))) if is_option && name.starts_with("--") => {
                let arg = self.long(name).filter(|arg| takes_value(arg));
                arg.map(|arg| (arg, name.len() + 1))
            }
            _ => None,
        };
        let Some((arg, start)) = value else {
            let positional = self.positional().filter(|_| !is_option || word == "-");
            return Place::Word(positional);
        };
        let typed = word.get(start..).unwrap_or_default();
        let last = arg.get_value_delimiter().and_then(|sign| typed.rfind(sign));
        let start = start + last.map_or(0, |place| place + 1);
        let (before, begun) = word.split_at_checked(start).unwrap_or((word, ""));
        Place::Value {
            arg,
            before: before.to_owned(),
            begun,
        }
    }

    /// The commands that can come next.
    pub fn commands(&self) -> Vec<Candidate> {
        if self.is_escaped || self.position > 0 {
            return Vec::new();
        }
        let all = self
            .command
            .get_subcommands()
            .filter(|one| !one.is_hide_set());
        all.map(|one| Candidate::new(one.get_name(), &first_line(one.get_about())))
            .collect()
    }

    /// The options that can come next: without those that were said, or that go with none of those.
    pub fn options(&self) -> Vec<Candidate> {
        if self.is_escaped {
            return Vec::new();
        }
        let can_come = |arg: &&Arg| {
            let excludes = |one: &Arg, other: &Arg| {
                let all = self.command.get_arg_conflicts_with(one);
                all.iter()
                    .any(|excluded| excluded.get_id() == other.get_id())
            };
            !arg.is_hide_set()
                && self.said.iter().all(|(said, _)| {
                    let again = said.get_id() == arg.get_id() && !repeats(arg);
                    // What was said to a command above is not known to this one.
                    let is_known = self.command.get_arguments().any(|one| one == *said);
                    !again && !(is_known && (excludes(arg, said) || excludes(said, arg)))
                })
        };
        let all = self.command.get_arguments().filter(can_come);
        all.flat_map(|arg| {
            let about = first_line(arg.get_help());
            let names = arg.get_long_and_visible_aliases().unwrap_or_default();
            names
                .into_iter()
                .map(move |name| Candidate::new(format!("--{name}"), &about))
        })
        .collect()
    }

    /// What was said of the argument of this id.
    pub fn said_of(&self, id: &str) -> Option<&str> {
        let mut all = self.said.iter().rev();
        let (_, value) = all.find(|(arg, _)| arg.get_id() == id)?;
        Some(value)
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Whether it can stand without its value.
fn is_optional(arg: &Arg) -> bool {
    let count = arg.get_num_args();
    count.is_some_and(|count| count.min_values() == 0)
}

/// The first line of a help text.
pub fn first_line(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
