// squares: a command in AssemblyScript; it declares the one function of WASI that it needs.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, vectors: usize, count: i32, written: usize): i32;

const SCRATCH: usize = memory.data(64);

function say(text: string): void {
  const bytes = String.UTF8.encode(text);
  store<usize>(SCRATCH, changetype<usize>(bytes));
  store<i32>(SCRATCH, bytes.byteLength, 4);
  fd_write(1, SCRATCH, 1, SCRATCH + 8);
}

export function _start(): void {
  let sum: u64 = 0;
  for (let n: u64 = 1; n <= 1000; n++) sum += n * n;
  say("the squares up to 1000 add up to " + sum.toString() + "\n");
}
