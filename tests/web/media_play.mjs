#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node media_play.mjs
// Every file of a library, opened in the page and played in Chromium with sound, from the start and
// from random positions (SEED=… plays the same ones again). Chromium decides by CODECS what it takes:
// what it cannot decode has to come as a rung and as AAC. Pictures that count seconds say whether a
// seek came to the right place.
import { luma, RATE } from './_films.mjs';
import { scratch, soak } from './_ladders.mjs';
import { check, launch, openPage, run, shoot, startServer, stateOf, traceOf, waitFor } from './_lib.mjs';
import { library } from './_media.mjs';

const SEEKS = soak ? 4 : 1; // of each rung
const PLAYED = 0.4; // seconds of picture that count as playing on
const NEAR_END = 1.5; // seconds before the end at which there is still something to play

const seed = Number(process.env.SEED ?? Date.now() % 1e6);
console.log(`# SEED=${seed}`);

// Mulberry32: the same numbers wherever the seed is the same.
let state = seed;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const home = scratch();
const { root, files } = library(home, ['h264-eac3.mkv', 'h264-aac.ts', 'vp9-opus.webm', 'derived-cups-hevc-aac.mp4',
  'tos-332p24-vp8-vorbis.webm']);
const server = await startServer(`--media=${root}`);
const browser = await launch();

// The green of the picture's middle.
const pixel = (page) => page.evaluate(() => {
  const canvas = document.createElement('canvas');
  canvas.width = 1;
  canvas.height = 1;
  const context = canvas.getContext('2d');
  context.drawImage(document.querySelector('video'), 0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data[1];
});

// The picture on the screen belongs to where the video says it is, to a frame.
async function shows(page) {
  let seen = 0;
  let at = 0;
  for (let tries = 0; tries < 40; tries += 1) { // it moves on between both questions
    at = (await stateOf(page)).time;
    seen = await pixel(page);
    const lumas = [-0.2, 0, 1 / RATE].map((off) => luma(at + off));
    if (lumas.some((y) => Math.abs((y - 16) * (255 / 219) - seen) < 5)) return;
  }
  check(false, `at ${at} the picture has a level of ${seen}, expected luma ${luma(at)}`);
}

// Plays on from a position, with sound that was decoded since.
async function playsFrom(page, what, at, { sound, counted }) {
  const before = await stateOf(page);
  await page.evaluate((t) => {
    const video = document.querySelector('video');
    video.currentTime = t;
    if (video.paused) video.play();
  }, at);
  const begun = await waitFor(page, `${what}: a seek to ${at}`, (s) => !s.seeking
    && s.time >= at - 0.01 && ['playing', 'ended'].includes(s.state));
  await waitFor(page, `${what}: it plays on from ${at}`, (s) => (s.time >= begun.time + PLAYED || s.ended)
    && (!sound || s.audio > before.audio || s.audio > 0 && s.ended));
  check(sound || (await stateOf(page)).audio === 0, `${what}: sound where none should be`);
  if (counted) await shows(page);
}

// Renditions whose codecs Chromium takes, by the multivariant playlist and its own word.
function supported(page, url) {
  return page.evaluate(async (address) => {
    const lines = (await (await fetch(address)).text()).split('\n');
    const taken = new Set();
    const groups = new Set();
    const folder = (uri) => uri.split('/')[0];
    lines.forEach((line, i) => {
      const codecs = /^#EXT-X-STREAM-INF:.*CODECS="([^"]+)"/.exec(line)?.[1];
      // As hls.js does: pictures and sound are asked for one by one.
      if (!codecs || !codecs.split(',').every((codec) => MediaSource.isTypeSupported(
        `${/^(mp4a|ac-3|ec-3|opus|flac|mp3)/i.test(codec) ? 'audio' : 'video'}/mp4; codecs="${codec}"`))) return;
      taken.add(folder(lines[i + 1]));
      groups.add(/AUDIO="([^"]+)"/.exec(line)?.[1]);
    });
    for (const line of lines) {
      const media = /^#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="([^"]+)".*URI="([^"]+)"/.exec(line);
      if (media && groups.has(media[1])) taken.add(folder(media[2]));
    }
    return [...taken];
  }, url);
}

async function play(page, file, asked) {
  await waitFor(page, 'listed', (s) => s.files === String(files.length));
  await page.locator(`#library-list a[data-path="${file.name}"]`).click();
  await waitFor(page, 'a click plays', (s) => ['playing', 'ended'].includes(s.state) && s.film === file.name
    && s.width > 0 && (!file.sound || s.audio > 0));
  const { duration } = await stateOf(page);
  const anywhere = () => Math.round(1000 * random() * Math.max(0, duration - NEAR_END)) / 1000;
  await playsFrom(page, 'by itself', anywhere(), file);

  const rungs = await page.$$eval('#rung-list label', (labels) => labels.map((label) => ({
    value: label.querySelector('input').value,
    label: label.textContent,
    height: Number(label.dataset.height),
  })).filter(({ value }) => value !== '-1'));
  const tried = soak ? rungs : rungs.filter(({ label }) => label.includes('original')).slice(0, 1);
  for (const rung of tried) {
    await page.locator(`input[name=rung][value="${rung.value}"]`).check();
    for (let i = 0; i < SEEKS; i += 1) await playsFrom(page, rung.label, anywhere(), file);
    await waitFor(page, `${rung.label} is shown`, (s) => (s.level === rung.value && s.height === rung.height) || s.ended);
  }

  const taken = await supported(page, `media/${encodeURIComponent(file.name)}/master.m3u8`);
  const wrong = [...asked].filter((name) => !taken.includes(name) && !name.startsWith('text'));
  check(taken.length > 0 && wrong.length === 0, `${wrong} were asked for, Chromium takes ${taken}`);
  return `${[...asked].join(' ')}; ${duration.toFixed(2)} s`;
}

const status = await run(files.map((file) => [file.name, async () => {
  const { page, problems, context } = await openPage(browser, server.url);
  const asked = new Set(); // renditions of which segments were asked for
  page.on('request', (request) => {
    const found = /\/([^/]+)\/\d+\.(m4s|ts|vtt)(\?|$)/.exec(request.url());
    if (found) asked.add(found[1]);
  });
  try {
    console.log(`# ${await play(page, file, asked)}`);
    check(problems.length === 0, problems.join('; '));
  } catch (error) {
    await shoot(page, file.name.replaceAll(/\W+/g, '-'));
    console.log((await traceOf(page)).replaceAll(/^/gm, '# '));
    error.message += ` [SEED=${seed}; ${problems.join('; ')}]`;
    throw error;
  } finally {
    await context.close();
  }
}]));
await browser.close();
await server.stop();
process.exit(status);
