mod asked;
mod bots;
mod bounds;
