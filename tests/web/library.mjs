#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node library.mjs
// The page of sluice serve --media: what it lists, search, pictures, playing from anywhere, sound and
// subtitles, resuming, keyboard, phones, signed links. Names of files and tracks look like HTML, and stay text.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ffmpeg } from './_films.mjs';
import { scratch } from './_ladders.mjs';
import { check, launch, openPage, run, settings, shoot, startServer, traceOf, waitFor } from './_lib.mjs';

const SECONDS = 24;
const ODD = '<img src=x onerror=alert(1)> & "50%" #2.mp4';
const TITLE = '<b>bold</b>';

const home = scratch();
const films = path.join(home, 'films');
mkdirSync(path.join(films, 'sub dir'), { recursive: true });
writeFileSync(path.join(home, 'text.srt'), `1\n00:00:00,000 --> 00:00:${SECONDS},000\nread me\n`);
const tone = (hertz) => ['-f', 'lavfi', '-i', `sine=${hertz}:duration=${SECONDS}:sample_rate=48000`];
const PICTURE = ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=24:duration=${SECONDS}`];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '48'];
const two = path.join(films, 'sub dir', 'two sounds.mkv');
ffmpeg([...PICTURE, ...tone(440), ...tone(880), '-i', path.join(home, 'text.srt'),
  '-map', '0', '-map', '1', '-map', '2', '-map', '3', ...H264, '-c:a', 'ac3', '-ac', '2', '-c:s', 'subrip',
  '-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger',
  '-metadata:s:a:1', `title=${TITLE}`, '-metadata:s:s:0', 'language=eng', two]);
ffmpeg([...PICTURE, ...tone(440), ...H264, '-c:a', 'aac', path.join(films, ODD)]);
ffmpeg([...tone(440), '-c:a', 'flac', path.join(films, 'tune.flac')]);
writeFileSync(path.join(films, 'broken.mkv'), 'no film');
cpSync(path.join(home, 'text.srt'), path.join(films, 'notes.srt'));

const browser = await launch();
const server = await startServer(`--media=${films}`);
const listed = (count) => (s) => s.files === String(count);
const clean = (problems) => check(problems.length === 0, problems.join('; '));
const link = (page, name) => page.locator('#library-list a', { hasText: name });
const at = (s) => Number(s.start);

async function withPage(options, test, query = '', { url } = server) {
  const { page, problems, context } = await openPage(browser, url + query, options);
  try {
    await test(page, problems);
    clean(problems);
  } catch (error) {
    error.message += `\n${problems.join('\n')}\n${await traceOf(page)}`;
    throw error;
  } finally {
    await context.close();
  }
}

// Until the picture moves on, with sound, from where it is.
async function plays(page, what, test = () => true) {
  const first = await waitFor(page, what, (s) => s.state === 'playing' && s.audio > 0 && test(s));
  return waitFor(page, `${what}: it goes on`, (s) => s.time > first.time + 0.3 && s.audio > 0);
}

async function list() {
  await withPage({}, async (page) => {
    await waitFor(page, 'listed', listed(4));
    const thumbs = () => page.evaluate(() => [...document.querySelectorAll('.thumb img')]
      .map((image) => image.complete && image.naturalWidth));
    check((await thumbs()).length === 2, 'two films have a picture');
    for (let i = 0; !(await thumbs()).every((width) => width > 0); i += 1) {
      check(i < settings.patience / 50, `thumbnails: ${await thumbs()}`);
      await page.waitForTimeout(50);
    }
    const covered = await page.evaluate(() => [...document.querySelectorAll('.length')].filter((e) => {
      const { x, y, width, height } = e.getBoundingClientRect();
      return document.elementFromPoint(x + width / 2, y + height / 2) !== e;
    }).length);
    check(covered === 0, `${covered} durations are behind their picture`);
    const texts = await page.locator('#library-list a').allTextContents();
    const has = (...parts) => check(texts.some((text) => parts.every((part) => text.includes(part))),
      `${parts} are not in ${texts}`);
    has(ODD, '0:24', 'H.264', 'AAC', '320 × 180');
    has('two sounds.mkv', 'sub dir', 'AC-3', 'subtitles');
    has('tune.flac', 'FLAC');
    has('broken.mkv', 'cannot be read');
    check(await page.locator('#library-list b, #library-list img[src=x]').count() === 0, 'a name became HTML');
    check(await page.locator('#player').isHidden(), 'a player without a film');
    check(await page.locator('#summary').textContent() === '4 files', 'the summary');

    await page.keyboard.press('/');
    await page.keyboard.type('TWO s');
    await waitFor(page, 'search', listed(1));
    check(await link(page, 'two sounds').isVisible(), 'the wrong one was found');
    await page.locator('#search').fill('<i>nothing');
    await waitFor(page, 'no match', listed(0));
    check((await page.locator('#library-note').textContent()).includes('<i>nothing'), 'no word about it');
    await page.locator('#search').fill('');
    await waitFor(page, 'all again', listed(4));
    await shoot(page, 'library-light');
  });
}

async function play() {
  await withPage({}, async (page) => {
    await waitFor(page, 'listed', listed(4));
    await link(page, 'two sounds').click();
    await plays(page, 'a click plays', (s) => s.width === 320);
    const second = 3 + (SECONDS / 2 - 3) * Math.random(); // half is left for what follows
    await page.evaluate((t) => { document.querySelector('video').currentTime = t; }, second);
    await plays(page, `a seek to ${second}`, (s) => s.time >= second);

    // Sound and subtitles by choice; a title is text.
    await waitFor(page, 'sounds and subtitles', (s) => s.sounds === '2' && s.texts === '1' && s.text === '-1');
    const german = page.locator('#sound-list label', { hasText: TITLE });
    check((await german.textContent()).includes('German'), 'the language has no name');
    await german.click();
    await waitFor(page, 'the other sound', (s) => s.sound === '1');
    await page.keyboard.press('f'); // what has the focus is a choice, and leaves this key alone
    await page.waitForFunction(() => document.fullscreenElement !== null);
    await page.keyboard.press('f');
    await page.locator('#player').focus();
    await page.keyboard.press('c');
    await waitFor(page, 'subtitles on', (s) => s.text === '0');
    await page.waitForFunction(() => [...document.querySelector('video').textTracks]
      .some((t) => t.mode === 'showing' && t.activeCues?.[0]?.text === 'read me'));
    await page.keyboard.press('c');
    await waitFor(page, 'subtitles off', (s) => s.text === '-1');
    await plays(page, 'it still plays');

    await page.keyboard.press('k');
    const { time } = await waitFor(page, 'k pauses', (s) => s.state === 'paused' && !s.seeking);
    await page.keyboard.press('ArrowLeft');
    await waitFor(page, 'left', (s) => Math.abs(s.time - Math.max(0, time - 5)) < 0.1 && !s.seeking);

    // Back is the library again, forward the film where it was left.
    await page.goBack();
    await waitFor(page, 'back', (s) => s.state === 'idle');
    check(await page.locator('#player').isHidden(), 'a player without a film');
    await link(page, 'onerror').click();
    await plays(page, 'the one with the odd name', (s) => s.film?.startsWith('<img'));
    check(await page.locator('#title').textContent() === ODD, 'the title');
    await link(page, 'tune').click();
    await plays(page, 'without a picture', (s) => s.film === 'tune.flac');
  });
}

async function resume() {
  const query = `?media=${encodeURIComponent('sub dir/two sounds.mkv')}`;
  await withPage({}, async (page) => {
    await waitFor(page, 'ready', (s) => s.state === 'paused' && at(s) === 0);
    await page.locator('#start').click();
    await plays(page, 'it plays');
    await page.evaluate(() => { document.querySelector('video').currentTime = 11.5; });
    const left = await plays(page, 'further on', (s) => s.time >= 11.5);
    await page.reload();
    const back = await waitFor(page, 'resumed', (s) => s.state === 'paused' && at(s) > 0 && !s.seeking);
    check(back.time >= left.time - 0.1 && back.time < left.time + 3, `left at ${left.time}, resumed at ${back.time}`);
    await page.keyboard.press('Space');
    await plays(page, 'from there', (s) => s.time >= back.time);
    const seen = await link(page, 'two sounds').locator('.seen').evaluate((e) => e.getBoundingClientRect().width);
    check(seen > 10, `how far it was seen is ${seen} wide`);
    await page.locator('#restart').click();
    await plays(page, 'from the beginning', (s) => s.time < 5);
    await page.reload();
    await waitFor(page, 'which is remembered, too', (s) => s.state === 'paused' && s.time < 5);
  }, query);
}

async function phone() {
  const options = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' };
  const narrow = async (page, what) => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    check(width <= 360, `${what}: the page is ${width} wide on a screen of 360`);
  };
  await withPage(options, async (page) => {
    await waitFor(page, 'listed', listed(4));
    await narrow(page, 'library');
    const small = await page.evaluate(() => [...document.querySelectorAll('.library :is(button, input, a)')]
      .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 40).map((e) => e.outerHTML));
    check(small.length === 0, `too small to touch: ${small}`);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    check(ground === 'rgb(16, 20, 20)', `dark mode has the ground ${ground}`);
    await link(page, 'two sounds').tap();
    await plays(page, 'a tap plays');
    check(await page.locator('#stage').evaluate((e) => e.getBoundingClientRect().top < window.innerHeight / 2),
      'what plays is out of sight');
    await narrow(page, 'player');
    const cut = await page.evaluate(() => [...document.querySelectorAll('#controls :is(button, select, input)')]
      .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > window.innerWidth).map((e) => e.id));
    check(cut.length === 0, `beyond the edge: ${cut}`);
    await shoot(page, 'library-phone-dark');
  });
}

async function both() {
  const site = path.join(home, 'site');
  mkdirSync(path.join(site, 'steps'), { recursive: true });
  writeFileSync(path.join(site, 'steps/master.m3u8'), '#EXTM3U\n');
  const key = path.join(home, 'key');
  writeFileSync(key, `${'0123456789abcdef'.repeat(4)}\n`);
  const other = await startServer(site, ['--media', films, '--sign-key-file', key]);
  const signing = spawnSync(settings.sluice, ['sign', other.url, '--sign-key-file', key, '--scope', '/'],
    { encoding: 'utf8' });
  try {
    await withPage({}, async (page) => {
      await waitFor(page, 'listed', (s) => s.files === '4' && s.ladders === '1' && s.state === 'idle');
      check(await page.locator('#ladders a', { hasText: 'steps' }).isVisible(), 'no ladder');
      check(await link(page, 'tune').isVisible(), 'no file');
      check(await page.locator('#summary').textContent() === '4 files, 1 ladder', 'the summary');
      await link(page, 'tune').click();
      await plays(page, 'a signed link', (s) => s.film === 'tune.flac');
    }, '', { url: signing.stdout.trim() });
    const { page, context } = await openPage(browser, other.url);
    await page.locator('#refused').waitFor(); // it says so
    await context.close();
  } finally {
    await other.stop();
  }
}

const status = await run([['list and search', list], ['play', play], ['resume', resume],
  ['phone, dark', phone],
  ['ladders and library, signed', both]]);
await browser.close();
await server.stop();
if (settings.shots) console.log(`# pictures in ${settings.shots}`);
process.exit(status);
