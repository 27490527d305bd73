#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node play.mjs [[--no-audio] DIRECTORY...]
// Serves each ladder, plays it in Chromium through the page, switches to every rung, and goes to
// the end. Chromium is the judge: what it decodes is right, what it complains about is not.
// Without directories it makes ladders of its own, and with SLUICE_SOAK of the whole corpus.
import { foreign, ours, scratch } from './_ladders.mjs';
import { check, launch, openPage, run, shoot, startServer, stateOf, traceOf, waitFor } from './_lib.mjs';

const PLAYED = 1.2; // seconds of picture that count as playing on

const args = process.argv.slice(2);
const directories = args.filter((arg) => !arg.startsWith('--'));
if (args.some((arg) => arg.startsWith('--') && arg !== '--no-audio')) {
  console.error('usage: node play.mjs [[--no-audio] DIRECTORY...]');
  process.exit(2);
}
const home = scratch();
const ladders = directories.length > 0
  ? directories.map((directory) => [directory, () => directory, !args.includes('--no-audio')])
  : [...ours(home), ...foreign(home)];

const now = async (page) => (await stateOf(page)).time;

async function playsOn(page, what) {
  const from = await now(page);
  await waitFor(page, `${what}: time goes on`, (s) => s.time >= from + PLAYED || s.ended);
}

async function seek(page, seconds) {
  await page.evaluate((t) => { document.querySelector('video').currentTime = t; }, seconds);
  await waitFor(page, `seek to ${seconds}`, (s) => !s.seeking);
}

async function goOn(page) {
  await page.evaluate(() => document.querySelector('video').play());
}

async function switches(page, rungs) {
  for (const rung of rungs) {
    await seek(page, 0);
    await page.locator(`input[name=rung][value="${rung.value}"]`).check();
    await goOn(page);
    await waitFor(page, `rung ${rung.label}`, (s) => s.level === rung.value
      && s.chosen === rung.value && s.width === rung.width && s.height === rung.height
      && s.state === 'playing');
    await playsOn(page, `rung ${rung.label}`);
  }
}

async function play(page, sound) {
  await waitFor(page, 'the ladder is listed and ready', (s) => Number(s.ladders) > 0
    && Number(s.levels) > 0 && s.state === 'paused');
  await page.keyboard.press('Space');
  await waitFor(page, 'it plays', (s) => s.state === 'playing' && s.width > 0);
  await playsOn(page, 'after the start');

  const rungs = await page.$$eval('#rung-list label', (labels) => labels.map((label) => ({
    value: label.querySelector('input').value,
    label: label.textContent,
    width: Number(label.dataset.width),
    height: Number(label.dataset.height),
  })).filter((rung) => rung.value !== '-1'));
  check(rungs.length > 0, 'no rung is offered');
  check(rungs.every((rung) => rung.width > 0), 'a rung does not state its RESOLUTION');
  await switches(page, rungs);

  const { audio, duration, growing } = await stateOf(page);
  if (sound) check(audio > 0, 'no sound was decoded');
  else check(audio === 0, `${audio} bytes of sound where none should be`);

  await page.locator('input[name=rung][value="-1"]').check();
  await waitFor(page, 'automatic again', (s) => s.chosen === '-1');
  if (growing === 'false') {
    await seek(page, Math.max(0, duration - 2));
    await goOn(page);
    await waitFor(page, 'the end', (s) => s.state === 'ended' && s.ended);
    check(Math.abs(await now(page) - duration) < 0.3, 'it ended somewhere else than at the end');
  }
  return { rungs, duration };
}

const browser = await launch();
const status = await run(ladders.map(([name, make, sound]) => [name, async () => {
  const server = await startServer(make());
  const { page, problems, context } = await openPage(browser, server.url);
  try {
    const { rungs, duration } = await play(page, sound);
    check(problems.length === 0, problems.join('; '));
    console.log(`# ${rungs.map((rung) => rung.label).join(' | ')}; ${duration.toFixed(2)} s`);
  } catch (error) {
    await shoot(page, name.replaceAll(/\W+/g, '-'));
    console.log((await traceOf(page)).replaceAll(/^/gm, '# '));
    if (problems.length > 0) error.message += ` [${problems.join('; ')}]`;
    throw error;
  } finally {
    await context.close();
    await server.stop();
  }
}]));
await browser.close();
process.exit(status);
