// words: a WAGI handler in Rust that counts the words of a body. Standard library only.
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

fn main() {
    let mut body = String::new();
    io::stdin().read_to_string(&mut body).unwrap();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for word in body.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let lines: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let mut out = io::stdout().lock();
    write!(out, "Content-Type: text/plain\n\n{}\n", lines.join("\n")).unwrap();
}
