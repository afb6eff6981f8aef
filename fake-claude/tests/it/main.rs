//! Black-box tests: the program in a terminal, its hooks, its upstream and its MCP servers, all on loopback.

mod painting;
mod print;
mod screens;
mod scripts;
mod support;
mod tools;
