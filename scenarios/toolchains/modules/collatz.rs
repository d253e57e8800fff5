// collatz: a command in Rust that finds the largest number below its argument whose Collatz
// sequence is the longest.
use std::env;

fn steps(start: u64) -> u32 {
    let (mut n, mut count) = (start, 0);
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        count += 1;
    }
    count
}

fn main() {
    let below: u64 = env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10_000);
    let (longest, number) = (1..below).map(|n| (steps(n), n)).max().unwrap_or((0, 1));
    println!("{} takes {} steps", number, longest);
}
