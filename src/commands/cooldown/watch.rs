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
    loop {
        let head = format!(
            "codex-manager cooldown   {}   q or Ctrl-C leaves",
            ctx.now.clock_form()
        );
        screen.draw(&ctx.ui, &head, &answer)?;
        ctx.sleep(TURN)?;
        ctx.catch_up();
        if ctx.now == answer.now {
            continue;
        }
        if looking.is_answer_old(ctx) {
            looking.ask_again(ctx)?;
        }
        answer = Answer::of(ctx, args, looking.rows(ctx)?);
    }
}
