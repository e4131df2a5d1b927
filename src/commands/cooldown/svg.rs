//! The timeline as a picture: one SVG, for a page or a file of its own. Light and dark as the reader's system says.
//!
//! Each kind of time has a texture of its own, so that no colour is needed to tell them apart. Nothing can ask the browser
//! how wide a text is: what may be too long is cut by the widest of the usual fonts.

use chrono::NaiveDate;

use super::timeline::short_weekday;
use super::words::{Words, breadth, day_and_clock, escaped};
use crate::timeline::{Block, Kind, Lane, Timeline};
use crate::timeutil::Zone;
use crate::ui::fit::cut_by;
use crate::ui::table::printable;

/// By this the program knows what it made itself.
pub(super) const MARK: &str = "<!-- made by codex-manager -->";

/// The colours and letters of a picture.
pub(super) const STYLE: &str = "\
.weeks{--card:#fff;--edge:#d8dee4;--ink:#1b1f24;--soft:#57606a;--grid:#e7ebef;--past:#e4e8ed;--past-edge:#8d97a5;--open:#1a7f37;\
--held:#bc4c00;--hatch:#ffd8b5;--free:#8d97a5;--block:#0a58ca;--now:#cf222e;--on-now:#fff;\
font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}
@media(prefers-color-scheme:dark){.weeks{--card:#161b22;--edge:#30363d;--ink:#e6edf3;--soft:#9aa4af;--grid:#262d36;--past:#2b323c;\
--past-edge:#727b86;--open:#3fb950;--held:#db8b3a;--hatch:#5c3210;--free:#727b86;--block:#6cb0ff;--now:#ff7b72;--on-now:#161b22}}
.weeks text{fill:var(--ink)}.weeks .soft{fill:var(--soft)}.weeks .strong{font-weight:600}.weeks .card{fill:var(--card);stroke:var(--edge)}
.weeks .grid{fill:none;stroke:var(--grid)}.weeks .past{fill:var(--past);stroke:var(--past-edge)}.weeks .open{fill:var(--open)}
.weeks .held{stroke:var(--held)}.weeks .hatch{stroke:var(--held);stroke-width:4}.weeks .ground{fill:var(--hatch)}
.weeks .free{stroke:var(--free);stroke-width:2;stroke-dasharray:1 6;stroke-linecap:round}
.weeks .block{fill:none;stroke:var(--block);stroke-width:2}.weeks .spent{stroke-dasharray:4 2}
.weeks .start{stroke:var(--ink);stroke-width:2}.weeks .next{fill:var(--card);stroke:var(--ink);stroke-width:2}
.weeks .cut{fill:none;stroke:var(--ink);stroke-width:2}.weeks .now,.weeks .stem{fill:none;stroke:var(--now);stroke-width:2}.weeks .flag{fill:var(--now)}
.weeks .flag-text{fill:var(--on-now);font-weight:600}
";

/// Where things are in a picture; in its own units, which are pixels where it is as wide as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Of the picture, and for its ids.
    pub name: &'static str,
    width: u32,
    margin: u32,
    /// How much of a line the words take, and whether the bar is beside them, not below.
    words: u32,
    is_beside: bool,
    /// Above the days, for the title of a picture that stands alone.
    title: u32,
}

/// With the words beside the bars.
pub(super) const WIDE: Layout = Layout {
    name: "wide",
    width: 920,
    margin: 24,
    words: 262,
    is_beside: true,
    title: 0,
};

/// The same with its title.
const TITLED: Layout = Layout { title: 48, ..WIDE };

/// With the words above them.
pub(super) const NARROW: Layout = Layout {
    name: "narrow",
    width: 380,
    margin: 16,
    words: 348,
    is_beside: false,
    title: 0,
};

/// What the flag of now and the days take.
const DAYS: u32 = 76;

/// The height of a bar.
const BAR: u32 = 18;

impl Layout {
    /// Where the lanes begin.
    fn top(self) -> u32 {
        self.title + DAYS
    }

    fn bar_from(self) -> u32 {
        if self.is_beside {
            self.margin + self.words + 16
        } else {
            self.margin
        }
    }

    fn bar_length(self) -> u32 {
        self.width - self.margin - self.bar_from()
    }

    fn lane_height(self) -> u32 {
        if self.is_beside { 68 } else { 100 }
    }

    /// From the top of a lane.
    fn bar_top(self) -> u32 {
        if self.is_beside { 22 } else { 64 }
    }
}

/// The picture as a document of its own.
pub(super) fn file(timeline: &Timeline, words: &[Words], zone: &Zone) -> String {
    let style = format!("<style>{STYLE}</style>");
    let picture = picture(timeline, words, zone, TITLED, &style);
    picture.replacen('>', &format!(">\n{MARK}"), 1)
}

/// The picture, with `style` in it.
pub(super) fn picture(
    timeline: &Timeline,
    words: &[Words],
    zone: &Zone,
    layout: Layout,
    style: &str,
) -> String {
    let canvas = Canvas { timeline, layout };
    let lanes = u32::try_from(words.len()).unwrap_or(u32::MAX);
    let bottom = layout
        .top()
        .saturating_add(lanes.saturating_mul(layout.lane_height()));
    let (legend, height) = canvas.legend(bottom + 8);
    let Layout { name, width, .. } = layout;
    let axis = &timeline.axis;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"weeks {name}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title-{name} about-{name}\" data-from=\"{}\" data-to=\"{}\">\n",
        axis.from(),
        axis.to(),
    );
    svg.push_str(&format!(
        "<title id=\"title-{name}\">When each Codex account can be used</title>\n"
    ));
    let told = words.iter().map(|words| {
        let Words { name, state, when } = words;
        format!("{}: {}; {}.", escaped(name), escaped(state), escaped(when))
    });
    let told: Vec<String> = told.collect();
    svg.push_str(&format!(
        "<desc id=\"about-{name}\">{}</desc>\n{style}\n",
        told.join(" ")
    ));
    svg.push_str(&format!(
        "<defs><pattern id=\"held-{name}\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect class=\"ground\" width=\"8\" height=\"8\"/><path class=\"hatch\" d=\"M2 0v8\"/>\
         </pattern></defs>\n<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\"/>\n",
        width - 1,
        height - 1,
    ));
    svg.push_str(&canvas.head(zone));
    for (begins, _) in &axis.days {
        svg.push_str(&canvas.down("grid", begins.unix()));
    }
    for (place, (words, lane)) in (0..).zip(words.iter().zip(&timeline.lanes)) {
        svg.push_str(&canvas.lane(words, lane, layout.top() + place * layout.lane_height()));
    }
    svg.push_str(&canvas.now());
    svg.push_str(&legend);
    svg.push_str("</svg>\n");
    svg
}

struct Canvas<'a> {
    timeline: &'a Timeline,
    layout: Layout,
}

impl Canvas<'_> {
    /// Where an instant is, from the left.
    fn x(&self, at: i64) -> f64 {
        let length = self.layout.bar_length();
        let axis = &self.timeline.axis;
        let place = axis.place(at.clamp(axis.from(), axis.to()), length);
        f64::from(self.layout.bar_from()) + place.unwrap_or_default()
    }

    /// The title and the days.
    fn head(&self, zone: &Zone) -> String {
        let Layout {
            margin,
            is_beside,
            title,
            ..
        } = self.layout;
        let (weekdays, dates) = (self.layout.top() - 22, self.layout.top() - 8);
        let now = self.timeline.now;
        let room = self.layout.width - 2 * margin;
        let subtitle = format!("As of {}, {}", day_and_clock(now), zone.name());
        let mut head = String::new();
        if title > 0 {
            head.push_str(&text(margin, 40, 17, "strong", room, "Codex accounts"));
            head.push_str(&text(margin, 60, 12, "soft", room, &subtitle));
        }
        let ends = self
            .timeline
            .axis
            .days
            .iter()
            .skip(1)
            .map(|(begins, _)| begins.unix());
        let ends = ends.chain([self.timeline.axis.to()]);
        for ((begins, date), ends) in self.timeline.axis.days.iter().zip(ends) {
            let middle = f64::midpoint(self.x(begins.unix()), self.x(ends));
            let weekday = if is_beside {
                date.format("%a").to_string()
            } else {
                short_weekday(*date)
            };
            head.push_str(&format!(
                "<text class=\"soft\" x=\"{middle:.2}\" y=\"{weekdays}\" font-size=\"10\" text-anchor=\"middle\">{weekday}</text>\n\
                 <text class=\"day\" x=\"{middle:.2}\" y=\"{dates}\" font-size=\"12\" text-anchor=\"middle\">{}</text>\n",
                day(*date),
            ));
        }
        head
    }

    /// One account.
    fn lane(&self, words: &Words, lane: &Lane, top: u32) -> String {
        let Layout {
            margin,
            width,
            words: room,
            name,
            ..
        } = self.layout;
        let bar = top + self.layout.bar_top();
        let (middle, height) = (bar + BAR / 2, BAR);
        let mut group = format!(
            "<g class=\"lane\" data-account=\"{0}\">\n<title>{0}</title>\n<path class=\"grid\" d=\"M{margin} {top}H{1}\"/>\n",
            escaped(&words.name),
            width - margin,
        );
        group.push_str(&text(margin, top + 22, 14, "strong", room, &words.name));
        group.push_str(&text(margin, top + 39, 12, "", room, &words.state));
        group.push_str(&text(margin, top + 55, 12, "soft", room, &words.when));
        for span in &lane.spans {
            let (from, to) = (self.x(span.from), self.x(span.to));
            let long = to - from;
            let (class, fill) = match span.kind {
                Kind::Free => {
                    group.push_str(&format!(
                        "<path class=\"free\" d=\"M{from:.2} {middle}H{to:.2}\"/>\n"
                    ));
                    continue;
                }
                Kind::Past => ("past", String::new()),
                Kind::Open => ("open", String::new()),
                Kind::Held => ("held", format!(" fill=\"url(#held-{name})\"")),
            };
            group.push_str(&format!(
                "<rect class=\"{class}\" x=\"{from:.2}\" y=\"{bar}\" width=\"{long:.2}\" height=\"{height}\"{fill}/>\n"
            ));
        }
        for Block {
            from,
            to,
            is_exhausted,
        } in &lane.blocks
        {
            let (from, to) = (self.x(*from), self.x(*to));
            let spent = if *is_exhausted { " spent" } else { "" };
            group.push_str(&format!(
                "<rect class=\"block{spent}\" x=\"{from:.2}\" y=\"{}\" width=\"{:.2}\" height=\"{}\" rx=\"2\"/>\n",
                bar - 4,
                to - from,
                height + 8,
            ));
        }
        if let Some(start) = lane.start {
            let (x, top) = (self.x(start), bar - 3);
            group.push_str(&format!(
                "<path class=\"start\" d=\"M{x:.2} {top}v{}\"/>\n",
                height + 6
            ));
        }
        if let Some(next) = lane.next {
            let x = self.x(next);
            group.push_str(&format!(
                "<path class=\"next\" d=\"M{x:.2} {}l7 7-7 7-7-7z\"/>\n",
                middle - 7
            ));
        }
        let ends = [
            (
                lane.is_cut_before,
                self.timeline.axis.from(),
                5,
                "l-5 5 5 5",
            ),
            (lane.is_cut_after, self.timeline.axis.to(), -5, "l5 5-5 5"),
        ];
        for (_, at, inwards, path) in ends.into_iter().filter(|(is_cut, ..)| *is_cut) {
            let x = self.x(at) + f64::from(inwards) * 1.6;
            group.push_str(&format!(
                "<path class=\"cut\" d=\"M{x:.2} {}{path}\"/>\n",
                middle - 5
            ));
        }
        if let Some(without) = lane.without {
            let now = self.x(self.timeline.now.unix());
            let left = self.layout.bar_from();
            let room = breadth(without, 12, false) + 12;
            let (x, anchor) = if now - f64::from(room) > f64::from(left) {
                (now - 12.0, "end")
            } else {
                (now + 12.0, "start")
            };
            group.push_str(&format!(
                "<text class=\"soft\" x=\"{x:.2}\" y=\"{}\" font-size=\"12\" text-anchor=\"{anchor}\">{without}</text>\n",
                middle + 4
            ));
        }
        group.push_str("</g>\n");
        group
    }

    /// Lines down the lanes at an instant: where words are above the bars, through the bars alone.
    fn down(&self, class: &str, at: i64) -> String {
        let x = self.x(at);
        let layout = self.layout;
        let lanes = u32::try_from(self.timeline.lanes.len()).unwrap_or(u32::MAX);
        let height = layout.lane_height();
        if layout.is_beside {
            let long = lanes.saturating_mul(height);
            return format!(
                "<path class=\"{class}\" d=\"M{x:.2} {}v{long}\"/>\n",
                layout.top()
            );
        }
        let mut path = String::new();
        for lane in 0..lanes {
            let top = layout.top() + lane * height + layout.bar_top() - 6;
            path.push_str(&format!("M{x:.2} {top}v{}", BAR + 12));
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>\n")
    }

    /// The line of now over all lanes, and its flag.
    fn now(&self) -> String {
        let now = self.timeline.now;
        let x = self.x(now.unix());
        let words = format!("now {}", now.wall_clock().format("%H:%M"));
        let half = f64::from(breadth(&words, 11, true)) / 2.0 + 6.0;
        let (left, right) = (
            self.layout.bar_from(),
            self.layout.width - self.layout.margin,
        );
        let middle = x.clamp(f64::from(left) + half, f64::from(right) - half);
        let top = self.layout.title + 18;
        format!(
            "{}<path class=\"stem\" d=\"M{x:.2} {}v5\"/>\n<rect class=\"flag\" x=\"{:.2}\" y=\"{top}\" width=\"{:.2}\" \
             height=\"18\" rx=\"4\"/>\n<text class=\"flag-text\" x=\"{middle:.2}\" y=\"{}\" font-size=\"11\" \
             text-anchor=\"middle\">{words}</text>\n",
            self.down("now", now.unix()),
            top + 18,
            middle - half,
            half * 2.0,
            top + 13,
        )
    }

    /// What the textures that were used mean, and where the picture ends.
    fn legend(&self, top: u32) -> (String, u32) {
        let Layout {
            margin,
            width,
            name,
            ..
        } = self.layout;
        let lanes = &self.timeline.lanes;
        let has = |kind: Kind| {
            let mut spans = lanes.iter().flat_map(|lane| &lane.spans);
            spans.any(|span| span.kind == kind)
        };
        let any = |is: fn(&Lane) -> bool| lanes.iter().any(is);
        let held = format!(
            "<rect class=\"held\" x=\"1\" y=\"1\" width=\"22\" height=\"12\" fill=\"url(#held-{name})\"/>"
        );
        let entries = [
            (
                any(|lane| lane.start.is_some()),
                "<path class=\"start\" d=\"M12 0v14\"/>",
                "window start",
            ),
            (
                has(Kind::Past),
                "<rect class=\"past\" x=\"1\" y=\"1\" width=\"22\" height=\"12\"/>",
                "gone by",
            ),
            (
                has(Kind::Open),
                "<rect class=\"open\" x=\"1\" y=\"1\" width=\"22\" height=\"12\"/>",
                "open, quota left",
            ),
            (has(Kind::Held), &held, "held back"),
            (
                any(|lane| !lane.blocks.is_empty()),
                "<rect class=\"block\" x=\"5\" y=\"0\" width=\"14\" height=\"14\" rx=\"2\"/>",
                "5 h window",
            ),
            (
                any(|lane| lane.next.is_some()),
                "<path class=\"next\" d=\"M12 0l7 7-7 7-7-7z\"/>",
                "next availability",
            ),
            (
                has(Kind::Free),
                "<path class=\"free\" d=\"M2 7h20\"/>",
                "free",
            ),
            (
                any(|lane| lane.is_cut_before || lane.is_cut_after),
                "<path class=\"cut\" d=\"M9 2l-5 5 5 5M15 2l5 5-5 5\"/>",
                "goes on",
            ),
        ];
        let mut legend = format!(
            "<path class=\"grid\" d=\"M{margin} {}H{}\"/>\n",
            top - 8,
            width - margin
        );
        let (mut x, mut y) = (margin, top + 6);
        for (_, swatch, words) in entries.into_iter().filter(|(is_used, ..)| *is_used) {
            let taken = 29 + breadth(words, 12, false);
            if x + taken > width - margin {
                (x, y) = (margin, y + 22);
            }
            legend.push_str(&format!(
                "<g class=\"key\" transform=\"translate({x} {y})\">{swatch}<text class=\"soft\" x=\"29\" y=\"11\" font-size=\"12\">\
                 {words}</text></g>\n"
            ));
            x += taken + 6;
        }
        (legend, y + 32)
    }
}

/// A day by its number.
fn day(date: NaiveDate) -> String {
    date.format("%-d").to_string()
}

/// One line of text, cut in its middle where it has no room.
fn text(x: u32, y: u32, size: u32, class: &str, room: u32, words: &str) -> String {
    let is_bold = class == "strong";
    let measure = |text: &str| breadth(text, size, is_bold) as usize;
    let words = printable(words);
    let words = escaped(&cut_by(&words, room as usize, "…", measure));
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    format!("<text{class} x=\"{x}\" y=\"{y}\" font-size=\"{size}\">{words}</text>\n")
}
