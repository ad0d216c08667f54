//! The directory: bots, connections and client ids.

mod damage;
mod homes;
mod lifetimes;
mod pages;
mod presence;
