//! A scenario: what a load test does, as a TOML file describes it.
//!
//! Settings of the whole at the top, one table for each kind of load, and `[thresholds]`. Several
//! kinds in one file run at the same time: that is how a blend is made. Unknown keys are errors.

mod built_in;
mod check;
mod kinds;
mod load;
mod load_scenario;
mod overrides;
mod span;

pub use built_in::{BUILT_IN, text_of};
pub use kinds::{
    ChurnLoad, FanoutLoad, IdleLoad, OpenLoad, PartialsLoad, PingpongLoad, SlowLoad, StormLoad,
    TypingLoad,
};
pub use load_scenario::{AckChoice, LoadScenario};
pub use span::TimeSpan;
