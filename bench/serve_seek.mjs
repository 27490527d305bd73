// SPDX-License-Identifier: BSD-2-Clause
// node serve_seek.mjs MASTER_URL '[SECONDS, …]'
// Part of bench/serve: a page with hls.js alone plays a film as it is, and goes to each position.
// Prints the milliseconds from each seek to the first picture of there.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { launch } from '../tests/web/_lib.mjs';

const HLS = new URL('../web/node_modules/hls.js/dist/hls.min.mjs', import.meta.url);
const [url, list] = process.argv.slice(2);
const FILES = {
  '/': ['text/html', '<!doctype html><title>seek</title><link rel="icon" href="data:,"><video muted></video>'],
  '/hls.mjs': ['text/javascript', await readFile(HLS)],
};

// In the page: the film, its pictures passed through and its first sound, playing.
async function open(address) {
  const { default: Hls } = await import('/hls.mjs');
  const video = document.querySelector('video');
  const hls = new Hls({ enableWorker: false, maxBufferLength: 10, maxMaxBufferLength: 10 });
  const failed = new Promise((resolve, reject) => {
    hls.on(Hls.Events.ERROR, (event, data) => data.fatal && reject(new Error(data.details)));
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    hls.currentLevel = hls.levels.findIndex((level) => level.uri.includes('/source/'));
  });
  hls.loadSource(address);
  hls.attachMedia(video);
  await Promise.race([failed, video.play()]);
}

// In the page: milliseconds from a seek to the first picture that belongs there.
function seek(to) {
  const video = document.querySelector('video');
  return new Promise((resolve) => {
    const start = performance.now();
    const look = (now, { mediaTime }) => {
      if (Math.abs(mediaTime - to) < 1) resolve(performance.now() - start);
      else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    video.currentTime = to;
  });
}

const server = createServer((request, response) => {
  const [type, body] = FILES[request.url] ?? ['text/plain', ''];
  response.setHeader('Content-Type', type);
  response.end(body);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const browser = await launch();
const page = await browser.newPage();
page.on('console', (message) => console.error(message.text()));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.evaluate(open, url);
const took = [];
for (const to of JSON.parse(list)) {
  await page.waitForTimeout(300); // what the last one asked for has come
  took.push(await page.evaluate(seek, to));
}
console.log(JSON.stringify(took));
await browser.close();
server.close();
