//! The program as people run it: against real gateways, and against servers that do wrong.

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod wrongs;
