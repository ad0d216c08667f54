//! The program as people run it: against real gateways, and against servers that do wrong.

mod faulty;
mod harness;
mod scenarios;
mod wrongs;
