#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node page.mjs [DIRECTORY]
// The page itself, with a ladder that plays: keyboard, links, phones, dark mode, what it says when
// there is nothing to play or something broken.
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { clip, ffmpegLadder, scratch } from './_ladders.mjs';
import { check, launch, openPage, run, settings, shoot, startServer, waitFor } from './_lib.mjs';

const home = scratch();
const ladder = process.argv[2] ?? ffmpegLadder(clip(home), path.join(home, 'ladder'), 'fmp4');
const site = path.join(home, 'site');
cpSync(ladder, path.join(site, 'films/one'), { recursive: true });
cpSync(ladder, path.join(site, 'two & "half" #2'), { recursive: true });
mkdirSync(path.join(site, 'broken'));
writeFileSync(path.join(site, 'broken/master.m3u8'), '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,'
  + 'CODECS="avc1.42c01f",RESOLUTION=64x64\nnowhere.m3u8\n');
const empty = path.join(home, 'empty');
mkdirSync(empty);

const browser = await launch();
const ready = (s) => s.state === 'paused' && Number(s.levels) > 0;

async function withPage(directory, options, test, query = '') {
  const server = await startServer(directory);
  const { page, problems, context } = await openPage(browser, server.url + query, options);
  try {
    await test(page, problems, server);
  } finally {
    await context.close();
    await server.stop();
  }
}

const one = `?ladder=${encodeURIComponent('films/one/master.m3u8')}`;
const clean = (problems) => check(problems.length === 0, problems.join('; '));

async function keyboard() {
  await withPage(site, {}, async (page, problems) => {
    await waitFor(page, 'ready', ready);
    await page.keyboard.press('m');
    await waitFor(page, 'm mutes', (s) => s.muted);
    await page.keyboard.press('m');
    await waitFor(page, 'm again', (s) => !s.muted);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await waitFor(page, 'down', (s) => Math.abs(s.volume - 0.9) < 0.001);
    await page.keyboard.press('ArrowUp');
    await waitFor(page, 'up', (s) => Math.abs(s.volume - 0.95) < 0.001);
    await page.keyboard.press('ArrowRight');
    await waitFor(page, 'right', (s) => Math.abs(s.time - 5) < 0.01);
    await page.keyboard.press('ArrowLeft');
    await waitFor(page, 'left', (s) => s.time === 0);
    await page.keyboard.press('Space');
    await waitFor(page, 'space plays', (s) => s.state === 'playing');
    await page.keyboard.press('Space');
    await waitFor(page, 'space pauses', (s) => s.state === 'paused');
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement !== null);
    await page.keyboard.press('f');
    await page.waitForFunction(() => document.fullscreenElement === null);
    // A button that has the focus keeps the space bar: mute, and nothing else.
    await page.locator('#mute').focus();
    await page.keyboard.press('Space');
    await waitFor(page, 'space on the button', (s) => s.muted && s.paused);
    clean(problems);
  }, one);
}

async function tabOrder() {
  await withPage(site, {}, async (page) => {
    await waitFor(page, 'ready', ready);
    const seen = new Set();
    for (let i = 0; i < 30; i += 1) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => {
        const e = document.activeElement;
        return e.id || e.name || e.dataset.ladder || e.textContent;
      }));
    }
    for (const id of ['toggle', 'mute', 'volume', 'seek', 'menu', 'fullscreen', 'rung']) {
      check(seen.has(id), `${id} cannot be reached by keyboard`);
    }
    const unnamed = await page.evaluate(() => [...document.querySelectorAll('button, input, select')]
      .filter((e) => !e.getAttribute('aria-label')
        && !e.textContent.trim() && !e.labels?.[0]?.textContent.trim())
      .map((e) => e.outerHTML));
    check(unnamed.length === 0, `without a name: ${unnamed}`);
  }, one);
}

async function links() {
  await withPage(site, {}, async (page, problems) => {
    await waitFor(page, 'listed', (s) => s.ladders === '3');
    await page.locator('#ladders a', { hasText: 'half' }).click();
    await waitFor(page, 'a click plays', (s) => s.state === 'playing');
    check(await page.locator('#title').textContent() === 'two & "half" #2', 'the title');
    await page.locator('#ladders a', { hasText: 'one' }).click();
    await waitFor(page, 'the other', (s) => s.ladder === 'films/one/master.m3u8'
      && s.state === 'playing');
    await page.goBack();
    await waitFor(page, 'back', (s) => s.ladder.startsWith('two') && Number(s.levels) > 0);
    await shoot(page, 'page-light');
    clean(problems);
  }, one);
}

async function phone() {
  const options = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' };
  await withPage(site, options, async (page, problems) => {
    await waitFor(page, 'ready', ready);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    check(width <= 360, `the page is ${width} wide on a screen of 360`);
    const small = await page.evaluate(() => [...document.querySelectorAll('button, #rung-list label')]
      .filter((e) => e.checkVisibility()).map((e) => [e.id || e.textContent, e.getBoundingClientRect()])
      .filter(([, box]) => box.height > 0 && box.height < 40).map(([name]) => name));
    check(small.length === 0, `too small to touch: ${small}`);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    check(ground === 'rgb(16, 20, 20)', `dark mode has the ground ${ground}`);
    await page.locator('#start').tap();
    await waitFor(page, 'a tap plays', (s) => s.state === 'playing');
    await shoot(page, 'page-phone-dark');
    clean(problems);
  }, one);
}

async function broken() {
  await withPage(site, {}, async (page) => {
    await waitFor(page, 'it says so', (s) => s.state === 'error' && s.message.includes('404'));
    await shoot(page, 'page-broken');
    // and another ladder still plays afterwards
    await page.locator('#ladders a', { hasText: 'one' }).click();
    await waitFor(page, 'after the error', (s) => s.state === 'playing' && s.message === '');
  }, `?ladder=${encodeURIComponent('broken/master.m3u8')}`);
}

async function nothing() {
  await withPage(empty, {}, async (page, problems) => {
    await waitFor(page, 'it says so', (s) => s.ladders === '0');
    check(await page.locator('#empty').isVisible(), 'no word about the empty directory');
    cpSync(ladder, path.join(empty, 'late'), { recursive: true });
    await waitFor(page, 'what comes later is found', ready);
    clean(problems);
  });
}

// The playlists of a run that has come so far: as many segments, no end.
function growTo(directory, count) {
  for (const entry of readdirSync(ladder, { withFileTypes: true }).filter((e) => e.isDirectory())) {
    const whole = readFileSync(path.join(ladder, entry.name, 'index.m3u8'), 'utf8')
      .replace('TYPE:VOD', 'TYPE:EVENT');
    const parts = whole.split('#EXTINF');
    const text = count < parts.length - 1 ? parts.slice(0, count + 1).join('#EXTINF') : whole;
    const file = path.join(directory, entry.name, 'index.m3u8');
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  }
}

async function growing() {
  const directory = path.join(home, 'growing');
  cpSync(ladder, directory, { recursive: true });
  growTo(directory, 2);
  await withPage(directory, {}, async (page, problems) => {
    await waitFor(page, 'ready from its start', (s) => ready(s) && s.growing === 'true' && s.time < 1);
    check(await page.locator('#live').isVisible(), 'no way to the newest picture');
    await page.keyboard.press('Space');
    await waitFor(page, 'it plays', (s) => s.state === 'playing' && s.time > 1);
    growTo(directory, 3);
    await waitFor(page, 'what is new is there', (s) => s.duration > 11 && s.growing === 'true');
    growTo(directory, Infinity);
    await waitFor(page, 'it is finished', (s) => s.growing === 'false');
    check(await page.locator('#live').isHidden(), 'it still says live');
    await page.evaluate(() => {
      const video = document.querySelector('video');
      video.currentTime = video.duration - 1;
    });
    await waitFor(page, 'the end', (s) => s.state === 'ended');
    clean(problems);
  });
}

async function elsewhere() {
  await withPage(site, {}, async (page, problems) => {
    await waitFor(page, 'listed', (s) => s.ladders === '3');
    check(await page.evaluate(() => document.querySelector('main').dataset.ladder) === undefined,
      'a ladder of another server was opened');
    clean(problems);
    const names = await page.evaluate(() => Object.keys(window).filter((k) => /hls|player/i.test(k)));
    check(names.length === 0, `on window: ${names}`);
  }, '?ladder=http%3A%2F%2F192.0.2.1%2Fmaster.m3u8');
}

const status = await run([['keyboard', keyboard], ['tab order and names', tabOrder],
  ['links', links], ['phone, dark', phone], ['broken ladder', broken],
  ['nothing to play', nothing], ['growing', growing], ['other servers', elsewhere]]);
await browser.close();
if (settings.shots) console.log(`# pictures in ${settings.shots}`);
process.exit(status);
