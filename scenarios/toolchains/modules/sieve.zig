//! sieve: a command in Zig without its standard library; counts primes and says so on standard output.

const Vector = extern struct { text: [*]const u8, length: usize };

extern "wasi_snapshot_preview1" fn fd_write(fd: i32, vectors: [*]const Vector, count: usize, written: *usize) i32;

const limit = 100_000;
var composite: [limit + 1]bool = @splat(false);

fn primes() u32 {
    var count: u32 = 0;
    var n: usize = 2;
    while (n <= limit) : (n += 1) {
        if (composite[n]) continue;
        count += 1;
        var multiple = n * n;
        while (multiple <= limit) : (multiple += n) composite[multiple] = true;
    }
    return count;
}

fn say(text: []const u8) void {
    var written: usize = 0;
    const vectors = [_]Vector{.{ .text = text.ptr, .length = text.len }};
    _ = fd_write(1, &vectors, 1, &written);
}

fn decimal(number: u32, buffer: *[10]u8) []const u8 {
    var rest = number;
    var at: usize = buffer.len;
    while (true) {
        at -= 1;
        buffer[at] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
        if (rest == 0) return buffer[at..];
    }
}

export fn _start() void {
    var buffer: [10]u8 = undefined;
    say(decimal(primes(), &buffer));
    say(" primes up to 100000\n");
}
