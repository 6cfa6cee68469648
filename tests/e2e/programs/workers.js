const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  const sab = new SharedArrayBuffer(8), view = new Int32Array(sab);
  let left = 4, sum = 0;
  for (let i = 0; i < 4; i++) {
    const w = new Worker(__filename, { workerData: { i, sab } });
    w.on('message', m => { sum += m; });
    w.on('error', e => { console.log('error', e); process.exit(1); });
    w.on('exit', () => { if (!--left) console.log('done', sum, view[0]); });
  }
} else {
  const { i, sab } = workerData, view = new Int32Array(sab);
  let s = 0;
  for (let j = 0; j < 300000; j++) s = (s + j * (i + 1)) % 1000003;
  for (let j = 0; j < 10000; j++) Atomics.add(view, 0, 1);
  parentPort.postMessage(s);
}
