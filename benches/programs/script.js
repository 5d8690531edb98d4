// What JavaScript benchmarks are made of: objects and methods, a tree with garbage, regular expressions, typed arrays, JSON.
class Task {
  constructor(priority, next) { this.priority = priority; this.next = next; this.count = 0; }
  run() { this.count += this.priority; return this.next; }
}

function tasks(rounds) {
  let first = null;
  for (let i = 0; i < 10; i++) first = new Task(i, first);
  let sum = 0;
  for (let i = 0; i < rounds; i++) for (let task = first; task; task = task.run()) sum += task.count & 7;
  return sum;
}

function tree(count) {
  let root = null, seed = 1;
  for (let i = 0; i < count; i++) {
    seed = (seed * 16807) % 2147483647;
    const node = { key: seed, left: null, right: null, data: ["value", String(seed)] };
    if (!root) { root = node; continue; }
    for (let at = root; ;) {
      const side = node.key < at.key ? "left" : "right";
      if (!at[side]) { at[side] = node; break; }
      at = at[side];
    }
  }
  let depth = 0;
  const visit = (node, level) => {
    if (!node) return;
    depth = Math.max(depth, level);
    visit(node.left, level + 1);
    visit(node.right, level + 1);
  };
  visit(root, 1);
  return depth;
}

function text(rounds) {
  let words = 0;
  const source = "The record, 2007; and the replay of 1,024 pages (each) is/was the same. ".repeat(50);
  for (let i = 0; i < rounds; i++) words += source.replace(/[aeiou]/g, "-").match(/\b[A-Za-z-]+\b/g).length;
  return words;
}

function sieve(limit) {
  const composite = new Uint8Array(limit);
  let primes = 0;
  for (let i = 2; i < limit; i++) {
    if (composite[i]) continue;
    primes++;
    for (let j = i * 2; j < limit; j += i) composite[j] = 1;
  }
  return primes;
}

function json(rounds) {
  let length = 0;
  const value = { name: "imitate", list: Array.from({ length: 100 }, (_, i) => ({ i, square: i * i })) };
  for (let i = 0; i < rounds; i++) length += JSON.stringify(JSON.parse(JSON.stringify(value))).length;
  return length;
}

console.log(tasks(1e6), tree(1e5), text(300), sieve(3e6), json(1000));
