//! `cooldown --watch`: the same answer drawn over and over.

use std::time::Duration;

use super::Answer;
use crate::cli::CooldownArgs;
use crate::context::Ctx;
use crate::error::{Kind, Outcome, Result};
use crate::live::looking::Looking;
use crate::ui::screen::Screen;

/// Shorter than the second that is shown, so that none is passed over; also how soon a window of another size is filled.
const TURN: Duration = Duration::from_millis(250);

/// Draws until somebody ends it.
pub fn run(ctx: &mut Ctx, args: &CooldownArgs, looking: &mut Looking) -> Result<Outcome> {
    // From here on a signal ends the drawing, which then gives the terminal back.
    let in_hand = ctx.in_hand();
    let mut screen = Screen::enter(&ctx.ui, ctx.ending())?;
    let drawn = draw(ctx, args, looking, &mut screen);
    screen.leave(&ctx.ui);
    drop(in_hand);
    match drawn {
        Err(error) if error.kind() == Kind::Interrupted => Ok(if ctx.ending().has_left() {
            Outcome::Done
        } else {
            Outcome::Left
        }),
        other => other,
    }
}

fn draw(
    ctx: &mut Ctx,
    args: &CooldownArgs,
    looking: &mut Looking,
    screen: &mut Screen,
) -> Result<Outcome> {
    let mut answer = Answer::of(ctx, args, looking.rows(ctx)?);
    // What was said as Codex was asked stays until it is asked again, what was said of files while that is so.
    let (mut of_asking, mut of_files) = (String::new(), Screen::said(&ctx.ui));
    loop {
        let title = format!("codex-manager cooldown   {}", ctx.now.clock_form());
        let said = format!("{of_asking}{of_files}");
        screen.draw(&ctx.ui, &title, &answer, &said)?;
        ctx.sleep(TURN)?;
        ctx.catch_up();
        if ctx.now == answer.now {
            continue;
        }
        if looking.is_answer_old(ctx) {
            looking.ask_again(ctx)?;
            of_asking = Screen::said(&ctx.ui);
        }
        answer = Answer::of(ctx, args, looking.rows(ctx)?);
        of_files = Screen::said(&ctx.ui);
    }
}
