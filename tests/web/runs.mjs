#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node runs.mjs
// The page of sluice serve --store: a run that is watched while it is made, the list, signed links. The
// writer is tests/support/publish, which announces segments of ffmpeg at the pace of a live encoder.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ffmpeg } from './_films.mjs';
import { scratch } from './_ladders.mjs';
import { check, launch, openPage, run, settings, shoot, startServer, traceOf, waitFor } from './_lib.mjs';

const SECONDS = 16;
const TARGET = 2;
const CLOCK = 90000;
const RENDITIONS = [['high', 'video', 'avc1.42c01e', 640, 360, 0, 900000],
  ['low', 'video', 'avc1.42c01e', 320, 180, 0, 300000], ['sound', 'audio', 'mp4a.40.2', 0, 0, 2, 140000]];

const home = scratch();
const store = path.join(home, 'store');
const build = path.dirname(settings.sluice);

// What a writer would make, all at once.
ffmpeg(['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${SECONDS}`,
  '-f', 'lavfi', '-i', `sine=440:duration=${SECONDS}:sample_rate=48000`,
  '-map', '0:v', '-map', '0:v', '-map', '1:a', '-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'ultrafast',
  '-pix_fmt', 'yuv420p', '-g', '50', '-keyint_min', '50', '-sc_threshold', '0', '-b:v:0', '600k', '-b:v:1', '200k',
  '-filter:v:1', 'scale=320:180', '-c:a', 'aac', '-ac', '2', '-f', 'hls', '-hls_time', String(TARGET),
  '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4', '-hls_segment_filename', path.join(home, 'v%v-%03d.m4s'),
  '-hls_fmp4_init_filename', 'init-%v.mp4', '-var_stream_map', 'v:0,agroup:a v:1,agroup:a a:0,agroup:a',
  path.join(home, 'v%v.m3u8')]);
const lengths = RENDITIONS.map((r, i) => [...readFileSync(path.join(home, `v${i}.m3u8`), 'utf8')
  .matchAll(/#EXTINF:([\d.]+)/g)].map((match) => Math.round(Number(match[1]) * CLOCK)));

class Writer {
  constructor() {
    this.child = spawn(path.join(build, 'tests/support/publish'), [],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, SLUICE_MODULES: path.join(build, 'modules') } });
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async say(...words) {
    this.child.stdin.write(`${words.join('\t')}\n`);
    const { value } = await this.answers.next();
    check(value?.startsWith('ok'), `${words}: ${value}`);
    return value.slice(3).trim();
  }

  async begin(name) {
    await this.say('claim', name);
    for (const [id, kind, codecs, width, height, channels, rate] of RENDITIONS) {
      await this.say('rendition', id, kind, codecs, width, height, channels, CLOCK, rate, TARGET, 0, 'fmp4');
    }
    await this.say('renditions');
    this.inits = [];
    for (const i of RENDITIONS.keys()) this.inits.push(await this.say('add', path.join(home, `init-${i}.mp4`)));
    this.at = RENDITIONS.map(() => 0);
  }

  // Segment n of each rendition, as far as it has one.
  async announce(n) {
    for (const [i, [id]] of RENDITIONS.entries()) {
      if (n < lengths[i].length) {
        const file = path.join(home, `v${i}-${String(n).padStart(3, '0')}.m4s`);
        const cid = await this.say('add', file);
        await this.say('segment', id, n, cid, this.inits[i], this.at[i], lengths[i][n], readFileSync(file).length, '-',
          1792000000000000 + n * TARGET * 1000000);
        this.at[i] += lengths[i][n];
      }
    }
    await this.say('announce');
  }

  get count() {
    return Math.max(...lengths.map((list) => list.length));
  }

  // Each segment when its last picture has been made.
  async live(name) {
    await this.begin(name);
    const started = Date.now();
    for (let n = 0; n < this.count; n += 1) {
      const due = started + Math.min((n + 1) * TARGET, SECONDS) * 1000 - Date.now();
      await new Promise((resolve) => { setTimeout(resolve, Math.max(0, due)); });
      await this.announce(n);
    }
    await this.say('end', 'finished');
  }
}

const browser = await launch();
const writer = new Writer();
await writer.say('open', store, path.join(store, 'registry.sqlite'));
const server = await startServer(`--store=${store}`);
const link = (page, name) => page.locator(`#runs-list a[data-run="${name}"]`);

async function withPage(test, query = '', { url } = server) {
  const { page, problems, context } = await openPage(browser, url + query);
  try {
    await test(page, problems);
    check(problems.length === 0, problems.join('; '));
  } catch (error) {
    error.message += `\n${problems.join('\n')}\n${await traceOf(page)}`;
    throw error;
  } finally {
    await context.close();
  }
}

async function nothing() {
  await withPage(async (page) => {
    await waitFor(page, 'no run', (s) => s.runs === '0');
    check(await page.locator('#runs-empty').isVisible(), 'no word about it');
    check(await page.locator('#player').isHidden(), 'a player without a run');
  });
}

async function live() {
  const made = writer.live('live-1');
  await new Promise((resolve) => { setTimeout(resolve, 3000); });
  await withPage(async (page) => {
    await waitFor(page, 'listed', (s) => s.runs === '1');
    check((await link(page, 'live-1').textContent()).includes('live'), 'it does not say that it is live');
    await link(page, 'live-1').click();
    const begun = await waitFor(page, 'there is something', (s) => s.duration > 0 && Number(s.levels) === 2);
    check(begun.growing === 'true' && begun.duration < SECONDS, `it was over before it was seen: ${begun.duration}`);
    await waitFor(page, 'it plays', (s) => s.state === 'playing');
    await shoot(page, 'runs-live');
    // Where it stops it has come to the end of what there is.
    await page.evaluate((target) => {
      const video = document.querySelector('video');
      const main = document.querySelector('main');
      let last = { time: video.currentTime, at: performance.now() };
      main.dataset.testStalls = '';
      setInterval(() => {
        const now = { time: video.currentTime, at: performance.now() };
        if (now.time > last.time || video.ended) {
          last = now;
        } else if (now.at - last.at > 500) {
          const { buffered } = video;
          const ahead = buffered.length > 0 ? buffered.end(buffered.length - 1) - video.currentTime : 0;
          if (ahead > target / 2) main.dataset.testStalls += ` ${now.time.toFixed(2)}+${ahead.toFixed(2)}`;
        }
      }, 100);
    }, TARGET);
    await waitFor(page, 'it is finished', (s) => s.runState === 'finished' && s.growing === 'false');
    await made;
    const end = await waitFor(page, 'the end', (s) => s.state === 'ended');
    check(end.testStalls === '', `it stood still with pictures at hand: ${end.testStalls}`);
    check(end.duration > SECONDS - 0.5 && end.time > SECONDS - 0.5, `it ended at ${end.time} of ${end.duration}`);
    check(end.audio > 0, 'no sound');
    check((await link(page, 'live-1').textContent()).includes('finished'), 'it still says that it is live');
  });
  await made;
}

async function finished() {
  await writer.begin('second');
  for (let n = 0; n < writer.count; n += 1) await writer.announce(n);
  await writer.say('end', 'finished');
  await withPage(async (page) => {
    await waitFor(page, 'listed', (s) => s.runs === '2');
    const text = await link(page, 'second').textContent();
    check(text.includes('640 × 360') && text.includes('900 kbit/s') && text.includes('0:16'), text);
    await waitFor(page, 'from its start', (s) => s.run === 'second' && Number(s.levels) === 2 && s.time === 0);
    await page.keyboard.press('Space');
    await waitFor(page, 'it plays', (s) => s.state === 'playing' && s.time > 0.5);
    await link(page, 'live-1').click();
    await waitFor(page, 'another', (s) => s.run === 'live-1' && s.state === 'playing');
    await page.goBack();
    await waitFor(page, 'back', (s) => s.run === 'second');
    await shoot(page, 'runs-list');
  }, '?run=second');
}

async function signed() {
  const key = path.join(home, 'key');
  writeFileSync(key, '0123456789abcdef0123456789abcdef\n');
  const guarded = await startServer(`--store=${store}`, ['--sign-key-file', key]);
  try {
    const done = spawnSync(settings.sluice, ['sign', guarded.url, '--scope', '/', '--sign-key-file', key],
      { encoding: 'utf8' });
    check(done.status === 0, done.stderr);
    await withPage(async (page) => {
      await waitFor(page, 'listed', (s) => s.runs === '2');
      await link(page, 'second').click();
      await waitFor(page, 'it plays', (s) => s.state === 'playing' && s.time > 0.5);
    }, `?${done.stdout.trim().split('?')[1]}`, guarded);
  } finally {
    await guarded.stop();
  }
}

const status = await run([['no run', nothing], ['live', live], ['finished', finished], ['signed links', signed]]);
await browser.close();
writer.child.stdin.end();
await server.stop();
process.exit(status);
