//! `cooldown --html`: the timeline and the table as one page that needs nothing but itself, or the picture alone.

use std::path::Path;

use serde::Serialize;

use super::svg::{self, MARK};
use super::words::{Words, escaped};
use super::{Answer, called};
use crate::accounts::Row;
use crate::context::Ctx;
use crate::error::{Error, Kind, Result};
use crate::fsutil;
use crate::metadata::Limit;
use crate::timeline::Timeline;
use crate::timeutil::{Stamp, Zone, remaining_words};
use crate::ui::table::count;
use crate::ui::{Page, Report};

/// How much of a file is read to see who made it.
const HEAD: u64 = 1024;

/// Writes the page, and tells so.
pub(super) fn write(ctx: &Ctx, file: &Path, dry_run: bool, answer: &Answer) -> Result<()> {
    let text = document(ctx, file, answer);
    if file == Path::new("-") {
        if ctx.ui.json {
            return Err(Error::new(
                Kind::Usage,
                "`--json` and a page cannot both go to standard output",
                "name a file for the page, or leave out `--json`",
            ));
        }
        return ctx.ui.data(&Text(text));
    }
    // What a link leads to is written, and the link stays.
    let target = fsutil::behind_links(file);
    check(ctx, file, &target)?;
    if !dry_run {
        fsutil::sweep(fsutil::parent_of(&target));
        fsutil::write_atomically(&target, text.as_bytes())?;
    }
    ctx.ui.done(&Written {
        mode: if dry_run { "dry-run" } else { "wrote" },
        file: file.display().to_string(),
        bytes: text.len(),
        accounts: answer.accounts.len(),
        shown: ctx.paths.short(file),
    })
}

fn document(ctx: &Ctx, file: &Path, answer: &Answer) -> String {
    let (rows, zone) = (&answer.accounts, &ctx.zone);
    let weeks = Timeline::of(rows, answer.now, zone);
    let words: Vec<Words> = rows
        .iter()
        .zip(called(rows))
        .map(|(row, name)| Words::of(row, &name, answer.now))
        .collect();
    let is_picture = file
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("svg"));
    if is_picture {
        svg::file(&weeks, &words, zone)
    } else {
        page(rows, &words, &weeks, zone)
    }
}

/// Fails where something stands that this program did not make, and in the homes, whose files mean something.
fn check(ctx: &Ctx, file: &Path, target: &Path) -> Result<()> {
    ctx.keep_out_of_homes(file, "a page", &ctx.backup_dir(None)?)?;
    let is_ours = match fsutil::open_regular(target) {
        Ok(opened) => {
            let mut head = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(opened, HEAD), &mut head)
                .map_err(|error| Error::io("read", file, error))?;
            head.is_empty() || String::from_utf8_lossy(&head).contains(MARK)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io("write", file, error)),
    };
    if is_ours {
        return Ok(());
    }
    Err(Error::other(
        format!(
            "`{}` stands there and is no page of codex-manager; nothing was changed",
            ctx.paths.short(file)
        ),
        "name another file, or remove that one",
    ))
}

struct Text(String);

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Report for Text {
    fn text(&self, _: &Page) -> String {
        self.0.clone()
    }
}

#[derive(Serialize)]
struct Written {
    mode: &'static str,
    file: String,
    bytes: usize,
    accounts: usize,
    #[serde(skip)]
    shown: String,
}

impl Report for Written {
    fn text(&self, _: &Page) -> String {
        let Self { mode, shown, .. } = self;
        format!("{mode:<9} {shown}, {}\n", count(self.accounts, "account"))
    }
}

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f3f5f8;--card:#fff;--edge:#d8dee4;--ink:#1b1f24;--soft:#57606a;--good:#1a7f37;--hold:#9a3d00}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--edge:#30363d;--ink:#e6edf3;--soft:#9aa4af;--good:#3fb950;--hold:#e6984e}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 40px}
h1{font-size:26px;line-height:1.2;margin:0}h2{font-size:18px;margin:32px 0 12px}
p{margin:6px 0 0}.soft,footer{color:var(--soft)}footer{margin-top:24px;font-size:13px}
figure{margin:22px 0 0}figure svg{display:block;width:100%;height:auto}
.narrow{display:none}
.card{background:var(--card);border:1px solid var(--edge);border-radius:12px;overflow:hidden}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:10px 12px;border-top:1px solid var(--edge)}
thead th{border-top:0;font-size:13px;color:var(--soft);font-weight:600}
tbody th{font-weight:600;overflow-wrap:anywhere}td small,th small{display:block;color:var(--soft);font-weight:400;font-size:13px}
time,td small{white-space:nowrap}.good{color:var(--good);font-weight:600}.hold{color:var(--hold);font-weight:600}
@media(max-width:760px){.wide{display:none}figure .narrow{display:block;max-width:560px;margin:0 auto}main{padding:20px 12px 32px}}
@media(max-width:1040px){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,th,td{display:block}
tbody tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr));padding:12px 16px;border-top:1px solid var(--edge)}
tbody tr:first-child{border-top:0}th{grid-column:1/-1}th,td{border:0;padding:3px 0;overflow-wrap:anywhere}
td{display:grid;grid-template-columns:126px 1fr}td small{display:inline;white-space:normal}td.none{display:none}
td::before{content:attr(data-label);color:var(--soft)}}
@media print{:root{color-scheme:light}body{background:none}main{max-width:none;padding:0}tr,svg{break-inside:avoid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";

fn page(rows: &[Row], words: &[Words], weeks: &Timeline, zone: &Zone) -> String {
    let now = weeks.now;
    let usable = rows.iter().filter(|row| row.is_usable()).count();
    let next = rows.iter().filter(|row| !row.is_usable());
    let next = next.filter_map(|row| row.usable_at).min();
    let next = next.map_or(String::new(), |at| {
        let away = remaining_words(at.since(now).num_seconds());
        format!("; the next one in {away} ({})", time(at))
    });
    let mut html = format!(
        "<!DOCTYPE html>\n{MARK}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Codex accounts, {}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>Codex accounts</h1>\n<p class=\"soft\">As of {} ({}). {usable} of {} usable now{next}.</p>\n</header>\n<figure>\n",
        now.table_form(),
        svg::STYLE,
        time(now),
        escaped(zone.name()),
        count(rows.len(), "account"),
    );
    for layout in [svg::WIDE, svg::NARROW] {
        html.push_str(&svg::picture(weeks, words, zone, layout, ""));
    }
    html.push_str("</figure>\n<h2>Accounts</h2>\n<div class=\"card\">\n<table role=\"table\">\n<thead role=\"rowgroup\">\n<tr role=\"row\">");
    for title in TITLES {
        html.push_str(&format!(
            "<th scope=\"col\" role=\"columnheader\">{title}</th>"
        ));
    }
    html.push_str("</tr>\n</thead>\n<tbody role=\"rowgroup\">\n");
    for (row, words) in rows.iter().zip(words) {
        html.push_str(&line(row, words, now));
    }
    html.push_str(
        "</tbody>\n</table>\n</div>\n<footer>Made by codex-manager. It does not change by itself: \
         <code>codex-manager cooldown --html FILE</code> makes it anew.</footer>\n</main>\n</body>\n</html>\n",
    );
    html
}

const TITLES: [&str; 7] = [
    "Account",
    "Status",
    "Usable",
    "Window began",
    "Window ends",
    "Also",
    "Seen",
];

/// One account's row.
fn line(row: &Row, words: &Words, now: Stamp) -> String {
    let at = |stamp: Option<Stamp>| stamp.map_or("-".to_owned(), |stamp| both(stamp, now));
    let (class, usable) = if row.is_usable() {
        let since = row.usable_at.map_or(String::new(), |at| {
            format!(" <small>since {}</small>", time(at))
        });
        ("good", format!("now{since}"))
    } else {
        (
            "hold",
            row.usable_at
                .map_or("nobody says when".to_owned(), |at| both(at, now)),
        )
    };
    let left = row.quota_percent_left;
    let left = left.map_or(String::new(), |left| {
        format!(" <small>{left}% left</small>")
    });
    let others = row.limits.iter().filter(|limit| !limit.is_the_weekly());
    let others: Vec<String> = others.map(|limit| also(limit, now)).collect();
    let others = if others.is_empty() {
        "-".to_owned()
    } else {
        others.join("")
    };
    // The rest of what the picture says of its state.
    let more = words.state.split_once(" · ").map_or("", |(_, more)| more);
    let more: Vec<&str> = more
        .split(" · ")
        .filter(|part| !part.ends_with("% left"))
        .collect();
    let cells = [
        format!("<span class=\"{class}\">{}</span>{left}", row.status.word()),
        usable,
        at(row.session_start_at.map(|start| start.0)),
        at(row.next_available_at),
        others,
        at(row.observed_at),
    ];
    let more = if more.concat().is_empty() {
        String::new()
    } else {
        format!("<small>{}</small>", escaped(&more.join(", ")))
    };
    let mut line = format!(
        "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\"><bdi dir=\"ltr\">{}</bdi>{more}</th>",
        escaped(&words.name)
    );
    for (cell, title) in cells.iter().zip(TITLES.iter().skip(1)) {
        let none = if cell == "-" { " class=\"none\"" } else { "" };
        line.push_str(&format!(
            "<td role=\"cell\"{none} data-label=\"{title}\"><div>{cell}</div></td>"
        ));
    }
    line.push_str("</tr>\n");
    line
}

/// A window besides the weekly one.
fn also(limit: &Limit, now: Stamp) -> String {
    let left = limit.percent_left;
    let left = left.map_or("unknown".to_owned(), |left| format!("{left}% left"));
    let resets = limit.reset_at.map_or(String::new(), |at| {
        format!(" <small>resets {}</small>", both(at, now))
    });
    format!("<div>{}: {left}{resets}</div>", escaped(&limit.name))
}

/// An instant as it is read by a person, and by a program.
fn time(at: Stamp) -> String {
    format!("<time datetime=\"{at}\">{}</time>", at.table_form())
}

/// How far away it is, and when.
fn both(at: Stamp, now: Stamp) -> String {
    let seconds = at.since(now).num_seconds();
    let away = remaining_words(seconds.abs());
    let words = match seconds {
        0 => away,
        1.. => format!("in {away}"),
        _ => format!("{away} ago"),
    };
    format!("{words} <small>{}</small>", time(at))
}
