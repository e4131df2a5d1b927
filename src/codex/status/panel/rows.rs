//! The panels in a text and the rows of each: a label, and its value joined from the lines it was wrapped over.

use super::lines::Line;

/// Longest label looked for, in characters.
const LONGEST_LABEL: usize = 80;

/// Lines a value may be wrapped over.
const MOST_PIECES: usize = 8;

/// What `Limits:` says in place of limits. Source: codex-rs/tui/src/status, 0.42 to 0.169.
pub(super) const NO_LIMITS: [&str; 3] = [
    "data not available yet",
    "not available for this account",
    "refresh requested; run /status again shortly.",
];

/// What a row is about, told by its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whose account it is.
    Account,
    /// The workspace of the account.
    Workspace,
    /// `Quota`: the weekly window, as short reports name it.
    Quota,
    /// A window's limit, of the account or of the bucket whose header stands above: `Weekly limit`.
    Window,
    /// Any other limit: a bucket's header, a bucket in one row, a credit limit.
    NamedLimit,
    /// `Limits`: why there are none.
    NoLimits,
    /// A row of the panel that says nothing of the account or its quota.
    Other,
    /// Something with a colon in it.
    Unknown,
}

impl Kind {
    fn of(label: &str) -> Self {
        let label = label.to_ascii_lowercase();
        match label.as_str() {
            "account" | "email" => Self::Account,
            "chatgpt workspace" | "workspace" => Self::Workspace,
            "quota" => Self::Quota,
            "limits" => Self::NoLimits,
            "session" | "permissions" | "approval" | "sandbox" | "agents.md" | "context window"
            | "token usage" | "credits" | "warning" | "server" | "collaboration mode" => {
                Self::Other
            }
            _ if window_minutes(&label).is_some()
                || matches!(label.as_str(), "usage limit" | "secondary usage limit") =>
            {
                if label.split(' ').count() == 2 || label == "secondary usage limit" {
                    Self::Window
                } else {
                    Self::NamedLimit
                }
            }
            _ if label.ends_with(" limit") => Self::NamedLimit,
            _ => Self::Unknown,
        }
    }

    fn is_limit(self) -> bool {
        matches!(
            self,
            Self::Quota | Self::Window | Self::NamedLimit | Self::NoLimits
        )
    }
}

/// The length of the window a limit's label names, in minutes. Source: the label table of codex-rs/tui, 0.145.
pub(super) fn window_minutes(label: &str) -> Option<u32> {
    let mut words = label.rsplit(' ');
    if !words.next()?.eq_ignore_ascii_case("limit") {
        return None;
    }
    match words.next()?.to_ascii_lowercase().as_str() {
        "5h" => Some(300),
        "daily" => Some(1440),
        "weekly" => Some(10_080),
        "monthly" => Some(43_200),
        "annual" => Some(525_600),
        _ => None,
    }
}

/// One row of a panel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub kind: Kind,
    /// As printed, without its colon.
    pub label: String,
    /// The value, a piece for each line it was wrapped over; none is empty.
    pub pieces: Vec<String>,
}

impl Row {
    fn new(label: &str, value: &str) -> Self {
        Self {
            kind: Kind::of(label),
            label: label.to_owned(),
            pieces: Some(value)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }
    }

    /// The value on one line.
    pub(super) fn value(&self) -> String {
        self.pieces.join(" ")
    }

    /// Whether the value is open in the middle of a parenthesis or a bar.
    fn is_open(&self) -> bool {
        let count = |brackets: [char; 2]| {
            self.pieces
                .iter()
                .map(|piece| piece.matches(brackets).count())
                .sum::<usize>()
        };
        count(['(', '[']) > count([')', ']'])
    }

    /// Whether `line`, which has no label of its own, continues the value.
    fn goes_on(&self, line: &str) -> bool {
        if self.pieces.len() >= MOST_PIECES {
            return false;
        }
        if self.is_open() {
            return true;
        }
        let value = self.value();
        match self.kind {
            Kind::Quota | Kind::Window | Kind::NamedLimit => {
                let squeezed = squeezed(&value);
                let has_share = ["%left", "%used"].iter().any(|end| squeezed.contains(end));
                if squeezed.contains("resets") {
                    false
                } else if has_share {
                    line.starts_with('(') || line.starts_with("resets")
                } else {
                    // A header has no value; a share that is broken off starts or goes on with what a share is made of.
                    squeezed.contains('%')
                        || squeezed
                            .ends_with(|c: char| c.is_ascii_digit() || matches!(c, ']' | '<'))
                        || line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '[' | '<'))
                }
            }
            Kind::Account => {
                let head = line.split('(').next().unwrap_or_default().trim();
                !value.contains('(') && !head.contains(' ')
            }
            Kind::Workspace => {
                !value.contains('(')
                    && (line.contains('(') || !line.contains(' ') || value.is_empty())
            }
            Kind::NoLimits => {
                let squeezed_value = squeezed(&value);
                !NO_LIMITS
                    .iter()
                    .any(|text| squeezed_value.contains(&squeezed(text)))
            }
            Kind::Other | Kind::Unknown => false,
        }
    }
}

/// `text` without white space, in lower case.
pub(super) fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// What stands between one start of a panel and the next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Panel {
    /// Whether it starts with Codex's header; else it is what stands above the first, or a text without any.
    pub headed: bool,
    /// Its rows that count, in order.
    pub rows: Vec<Row>,
    /// Whether Codex asks to sign in below it.
    pub signed_out: bool,
}

/// The panels of a text in order. Codex's start screen has a panel's header and so is one too, with no row that counts.
pub(super) fn panels(lines: &[Line]) -> Vec<Panel> {
    let mut gathering = Gathering {
        panels: Vec::new(),
        panel: Panel::default(),
        closed: false,
        rows: 0,
        limits: 0,
        buckets: 0,
        after_blank: false,
        row_ends: true,
    };
    for line in lines {
        gathering.line(line);
    }
    let mut panels = gathering.panels;
    panels.push(gathering.panel);
    if panels.iter().any(|panel| panel.headed) {
        // What stands above the first header counts only if it is a panel whose own header has scrolled away, with the
        // rows that no quoted limit has around it.
        panels.retain(|panel| {
            panel.headed
                || panel
                    .rows
                    .iter()
                    .any(|row| matches!(row.kind, Kind::Account | Kind::Workspace | Kind::Other))
        });
    }
    panels
}

struct Gathering {
    panels: Vec<Panel>,
    panel: Panel,
    /// Whether what follows belongs to no panel: the box ended, or a prompt or an answer began.
    closed: bool,
    /// Rows of the panel, those that count and others.
    rows: usize,
    /// Rows of limits among them.
    limits: usize,
    /// Headers of extra buckets among them.
    buckets: usize,
    after_blank: bool,
    /// Whether the last row cannot go on: there is none, or something else came between.
    row_ends: bool,
}

impl Gathering {
    fn line(&mut self, line: &Line) {
        let text = line.text.as_str();
        if is_header(text) {
            self.start(true);
        } else if is_sign_in(text) {
            self.panel.signed_out = true;
            self.row_ends = true;
        } else if text.is_empty() {
            if line.closes_box && self.panel.headed {
                self.closed |= self.rows > 0;
            }
            self.after_blank = true;
            self.row_ends = true;
        } else if !self.closed {
            self.text(text);
            self.after_blank = false;
        }
    }

    fn start(&mut self, headed: bool) {
        let next = Panel {
            headed,
            ..Panel::default()
        };
        self.panels.push(std::mem::replace(&mut self.panel, next));
        self.closed = false;
        self.rows = 0;
        self.limits = 0;
        self.buckets = 0;
        self.after_blank = false;
        self.row_ends = true;
    }

    fn text(&mut self, text: &str) {
        if self.panel.headed && self.rows > 0 && is_no_row(text) {
            self.closed = true;
            return;
        }
        let open = !self.row_ends && self.panel.rows.last().is_some_and(Row::is_open);
        let row = label_and_value(text)
            .map(|(label, value)| Row::new(label, value))
            // `(resets 13:` of a broken time is no label.
            .filter(|row| !open || row.kind != Kind::Unknown);
        let counts = row.as_ref().is_some_and(|row| row.kind != Kind::Unknown);
        // After the limits and an empty line anything may be quoted that looks like a limit.
        if self.panel.headed && self.after_blank && self.limits > 0 && !counts {
            self.closed = true;
        } else if let Some(row) = row {
            self.row(row);
        } else if let Some(last) = self.panel.rows.last_mut()
            && !self.row_ends
            && last.goes_on(text)
        {
            last.pieces.push(text.to_owned());
        } else {
            self.row_ends = true;
        }
    }

    fn row(&mut self, row: Row) {
        if !self.panel.headed && self.repeats(&row) {
            self.start(false);
        }
        self.rows += 1;
        self.row_ends = row.kind == Kind::Unknown;
        if row.kind != Kind::Unknown {
            self.limits += usize::from(row.kind.is_limit());
            let is_header = row.kind == Kind::NamedLimit && row.pieces.is_empty();
            self.buckets += usize::from(is_header);
            self.panel.signed_out = false;
            self.panel.rows.push(row);
        }
    }

    /// Whether a text without headers starts a second report with this row.
    fn repeats(&self, row: &Row) -> bool {
        let starts = match row.kind {
            Kind::Account | Kind::Quota => true,
            // Below a bucket's header the labels of the account's windows come again.
            Kind::Window => self.buckets == 0,
            _ => false,
        };
        starts
            && self
                .panel
                .rows
                .iter()
                .any(|seen| seen.label.eq_ignore_ascii_case(&row.label))
    }
}

fn is_header(text: &str) -> bool {
    text.starts_with(">_ OpenAI Codex") || text.starts_with("OpenAI Codex (")
}

fn is_sign_in(text: &str) -> bool {
    let words = text
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .to_ascii_lowercase();
    [
        "1. sign in with chatgpt",
        "sign in with chatgpt to use codex",
        "finish signing in",
    ]
    .iter()
    .any(|start| words.starts_with(start))
        || words == "not logged in"
}

/// Whether a line is Codex's prompt, an answer, or a notice: nothing of a panel starts so.
fn is_no_row(text: &str) -> bool {
    text.starts_with(['›', '❯', '»', '•', '▌', '■', '⚠', '✗', '✔'])
}

fn label_and_value(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with(char::is_alphanumeric) {
        return None;
    }
    let (at, _) = text.char_indices().take(LONGEST_LABEL).find(|&(at, c)| {
        c == ':'
            && text
                .get(at + 1..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })?;
    let (label, value) = (text.get(..at)?.trim(), text.get(at + 1..)?.trim());
    let letters = label.contains(char::is_alphabetic);
    let whole = label.matches('(').count() == label.matches(')').count();
    (letters && whole).then_some((label, value))
}
