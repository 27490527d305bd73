// SPDX-License-Identifier: BSD-2-Clause
// What the browser tests share: our server, Debian's Chromium, waiting for the page's state.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

export const settings = {
  sluice: process.env.SLUICE ?? path.join(root, 'build/sluice'),
  chromium: process.env.CHROMIUM ?? '/usr/bin/chromium',
  shots: process.env.SHOTS ?? '', // directory for a picture of the page where a test fails
  patience: Number(process.env.PATIENCE ?? 60000), // a loaded machine is no failure
};

const CHROMIUM_ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--autoplay-policy=no-user-gesture-required'];

export class Failure extends Error {}

export function check(condition, message) {
  if (!condition) throw new Failure(message);
}

export async function startServer(directory, args = []) {
  check(existsSync(settings.sluice), `${settings.sluice} is missing: run make build`);
  const child = spawn(settings.sluice, ['serve', directory, '--port', '0', ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => { child.once('exit', resolve); });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    new Promise((resolve) => { lines.once('line', resolve); }),
    exited.then((code) => { throw new Failure(`sluice serve ended with ${code}`); }),
  ]);
  const url = /http:\/\/\S+/.exec(first)?.[0];
  check(url, `sluice serve said: ${first}`);
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      check(await exited === 0, 'sluice serve did not end with 0');
    },
  };
}

// gl: what is drawn goes through OpenGL, by a software renderer. Without it libyuv turns pictures into
// RGB, whose blue is off by up to 12 for BT.709: its factor for Cb, 2.11, is cut to 2.
export function launch({ gl = false } = {}) {
  const args = gl
    ? [...CHROMIUM_ARGS.filter((arg) => arg !== '--disable-gpu'), '--use-gl=angle', '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist']
    : CHROMIUM_ARGS;
  return chromium.launch({ executablePath: settings.chromium, args, timeout: settings.patience });
}

// Runs in the page before its own scripts: what happened to the video element, for failures that do
// not come twice. Kept in a property that the page itself never looks at.
function traceMedia() {
  const KEPT = 200;
  const EVENTS = ['seeking', 'seeked', 'waiting', 'playing', 'pause', 'ended', 'stalled', 'emptied',
    'durationchange', 'error'];
  const started = Date.now();
  const lines = [];
  const note = (text) => {
    lines.push(`${Date.now() - started} ${text}`);
    if (lines.length > KEPT) lines.shift();
  };
  const time = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'currentTime');
  Object.defineProperty(HTMLMediaElement.prototype, 'currentTime', {
    ...time,
    set(value) {
      const from = new Error('').stack.split('\n').slice(2, 5).map((line) => line.trim()).join(' < ');
      note(`currentTime ${time.get.call(this).toFixed(3)} -> ${value} ${from}`);
      time.set.call(this, value);
    },
  });
  const listen = () => {
    const video = document.querySelector('video');
    for (const name of video ? EVENTS : []) {
      video.addEventListener(name, () => {
        const { buffered } = video;
        const spans = Array.from({ length: buffered.length }, (_, i) =>
          `${buffered.start(i).toFixed(2)}-${buffered.end(i).toFixed(2)}`);
        note(`${name} at ${time.get.call(video).toFixed(3)} of ${video.duration}, has ${spans.join(' ')}`);
      });
    }
  };
  document.addEventListener('DOMContentLoaded', listen);
  window.sluiceTestTrace = lines;
}

// What traceMedia wrote down.
export async function traceOf(page) {
  try {
    return (await page.evaluate(() => window.sluiceTestTrace)).join('\n');
  } catch (error) {
    return `no trace: ${error.message}`;
  }
}

// A page that keeps a record of everything that goes wrong on it.
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  const origin = new URL(url).origin;

  page.setDefaultTimeout(settings.patience);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const { protocol, origin: from } = new URL(request.url());
    if (from !== origin && !['blob:', 'data:'].includes(protocol)) {
      problems.push(`asked elsewhere: ${request.url()}`);
    }
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  page.on('requestfailed', (request) => {
    // hls.js gives up segments of the rung that was left.
    const why = request.failure()?.errorText ?? '';
    if (!/ERR_ABORTED/.test(why)) problems.push(`${why}: ${request.url()}`);
  });
  await page.addInitScript(traceMedia);
  await page.goto(url);
  return { page, problems, context };
}

// The page's state: its data attributes, and what the video element itself says.
export function stateOf(page) {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    return {
      ...document.querySelector('main').dataset,
      time: video.currentTime,
      duration: video.duration,
      width: video.videoWidth,
      height: video.videoHeight,
      audio: video.webkitAudioDecodedByteCount,
      seeking: video.seeking,
      muted: video.muted,
      volume: video.volume,
      paused: video.paused,
      ended: video.ended,
      message: document.querySelector('#message').textContent,
    };
  });
}

// Waits until test(state) holds; fails with the state it was left in. (Asked for from here: the
// page's policy allows no code from strings.)
export async function waitFor(page, what, test) {
  const end = Date.now() + settings.patience;
  for (;;) {
    const state = await stateOf(page);
    if (test(state)) return state;
    if (Date.now() > end) throw new Failure(`${what}: the page stays at ${JSON.stringify(state)}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

export async function shoot(page, name) {
  if (!settings.shots) return;
  mkdirSync(settings.shots, { recursive: true });
  await page.screenshot({ path: path.join(settings.shots, `${name}.png`), fullPage: true });
}

// Runs named tests one after the other and says what became of them, in the Test Anything Protocol.
// Returns the exit status.
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of tests) {
    const started = Date.now();
    try {
      await test();
      console.log(`ok - ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`not ok - ${name}: ${error instanceof Failure ? error.message : error.stack}`);
    }
  }
  return failed > 0 ? 1 : 0;
}
