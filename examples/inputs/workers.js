// Timers, promises, files, the pool of threads, workers and a child.
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");

if (isMainThread) {
  console.log(Math.random(), Date.now(), process.hrtime.bigint());
  require("fs").readFile(__filename, (error, data) => console.log(error, data.length));
  require("crypto").pbkdf2("word", "salt", 1000, 20, "sha1", (error, key) => console.log(key.toString("hex")));
  require("child_process").exec("date +%N", (error, output) => console.log(output));
  setTimeout(() => console.log("later"), 10);
  for (let number = 0; number < 2; number++) {
    new Worker(__filename, { workerData: number }).on("message", (sum) => console.log(number, sum));
  }
} else {
  let sum = workerData;
  for (let i = 0; i < 3e6; i++) sum += Math.random();
  parentPort.postMessage(sum);
}
