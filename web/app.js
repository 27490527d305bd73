// SPDX-License-Identifier: BSD-2-Clause
// The page: controls, keyboard, the list of ladders. State that tests and styles read stands in
// data attributes of <main>; nothing is put on window.
import * as format from './format.js';
import { Player } from './player.js';

const SEEK_STEP = 5;
const VOLUME_STEP = 0.05;
const IDLE_AFTER = 2500;
const LIST_EVERY = 15000;
const LIST_EVERY_EMPTY = 3000;

const $ = (id) => document.getElementById(id);
const main = document.querySelector('main');
const video = $('video');
const stage = $('stage');
const player = new Player(video);
const { title: siteTitle } = document;

let ladders = [];
let address = null; // of the ladder that is loaded
let seeking = false;

// --- what is shown -------------------------------------------------------------------------------

function setState(state) {
  if (main.dataset.state === 'error' && state !== 'loading') return;
  main.dataset.state = state;
}

function showMessage(text) {
  $('message').textContent = text ?? '';
  $('message').hidden = !text;
}

function bufferedAhead() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (currentTime >= buffered.start(i) - 0.1 && currentTime <= buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}

function showTime() {
  const duration = Number.isFinite(video.duration) ? video.duration : player.edge ?? 0;
  const seek = $('seek');
  const ahead = bufferedAhead();
  const share = (t) => (duration > 0 ? `${Math.min(100, (t / duration) * 100)}%` : '0%');

  $('position').textContent = format.time(video.currentTime);
  $('duration').textContent = format.time(duration);
  seek.disabled = !(duration > 0);
  seek.max = String(duration);
  if (!seeking) seek.value = String(video.currentTime);
  seek.setAttribute('aria-valuetext',
    `${format.spokenTime(video.currentTime)} of ${format.spokenTime(duration)}`);
  seek.style.setProperty('--played', share(seeking ? Number(seek.value) : video.currentTime));
  seek.style.setProperty('--buffered', share(video.currentTime + ahead));
  main.dataset.time = video.currentTime.toFixed(3);
  main.dataset.buffered = ahead.toFixed(3);
  $('stat-buffered').textContent = `${ahead.toFixed(1)} s`;
}

function showStats() {
  const level = player.levels[player.current];
  const names = format.rungNames(player.levels);
  const quality = video.getVideoPlaybackQuality?.();
  const rung = level ? names[player.current] : '';
  const growing = player.growing === true;

  main.dataset.engine = player.engine;
  main.dataset.rung = rung;
  main.dataset.level = String(player.current);
  main.dataset.chosen = String(player.chosen);
  main.dataset.width = String(video.videoWidth);
  main.dataset.height = String(video.videoHeight);
  main.dataset.dropped = String(quality?.droppedVideoFrames ?? 0);
  main.dataset.growing = String(growing);
  $('stat-rung').textContent = level ? rung + (player.chosen < 0 ? ' (auto)' : '') : '–';
  $('stat-resolution').textContent = video.videoWidth
    ? `${video.videoWidth} × ${video.videoHeight}` : '–';
  $('stat-bitrate').textContent = level ? format.bitrate(level.averageBitrate || level.bitrate) : '–';
  $('stat-dropped').textContent = quality
    ? `${quality.droppedVideoFrames} of ${quality.totalVideoFrames}` : '–';
  $('live').hidden = !growing;
  main.dataset.behind = String(growing && player.edge !== null
    && player.edge - video.currentTime > 10);
  showTime();
}

function radio(name, value, label, detail, checked) {
  const wrap = document.createElement('label');
  const input = document.createElement('input');
  const text = document.createElement('span');
  const small = document.createElement('small');

  input.type = 'radio';
  input.name = name;
  input.value = String(value);
  input.checked = checked;
  text.textContent = label;
  small.textContent = detail;
  if (detail) text.append(' ', small);
  wrap.append(input, text);
  return wrap;
}

// Highest first. Indices are hls.js's, which sorts by rate.
function showRungs() {
  const { levels, chosen } = player;
  const names = format.rungNames(levels);
  const order = levels.map((_, i) => i).sort((a, b) => levels[b].bitrate - levels[a].bitrate);
  const choice = (i) => {
    const { width, height, bitrate } = levels[i];
    return [i, names[i], [width && height ? `${width}×${height}` : '', format.bitrate(bitrate)]
      .filter(Boolean).join(', ')];
  };
  const all = [[-1, 'Auto', 'by the connection'], ...order.map(choice)];

  main.dataset.levels = String(levels.length);
  $('rungs').hidden = levels.length === 0;
  $('rung-list').replaceChildren(...all.map(([value, label, detail]) => {
    const item = radio('rung', value, label, detail, value === chosen);
    if (value >= 0) item.dataset.width = String(levels[value].width ?? 0);
    if (value >= 0) item.dataset.height = String(levels[value].height ?? 0);
    return item;
  }));
  $('menu').disabled = levels.length === 0;
  $('menu').replaceChildren(...all.map(([value, label]) => {
    const option = document.createElement('option');
    option.value = String(value);
    option.textContent = label;
    option.selected = value === chosen;
    return option;
  }));
}

function markRung() {
  const chosen = String(player.chosen);
  for (const input of document.querySelectorAll('input[name=rung]')) {
    input.checked = input.value === chosen;
    input.parentElement.classList.toggle('shown', Number(input.value) === player.current);
  }
  $('menu').value = chosen;
}

function showSounds() {
  const { sounds, sound } = player;

  main.dataset.sounds = String(sounds.length);
  $('sounds').hidden = sounds.length < 2;
  $('sound-list').replaceChildren(...sounds.map((track, i) => radio('sound', i,
    track.name || `Sound ${i + 1}`, track.lang ?? '', i === sound)));
}

function showLadders() {
  const items = ladders.map((ladder) => {
    const parts = ladder.path.split('/');
    const link = document.createElement('a');
    const name = document.createElement('span');
    const small = document.createElement('small');
    const item = document.createElement('li');

    link.href = `?ladder=${encodeURIComponent(ladder.url)}`;
    link.dataset.ladder = ladder.url;
    if (ladder.url === address) link.setAttribute('aria-current', 'true');
    name.textContent = parts.at(-1) || 'This directory';
    small.textContent = [parts.slice(0, -1).join('/'), format.ago(ladder.modified)]
      .filter(Boolean).join(' · ');
    link.append(name, small);
    item.append(link);
    return item;
  });

  $('ladders').replaceChildren(...items);
  $('empty').hidden = ladders.length > 0;
  const count = ladders.length === 1 ? '1 ladder' : `${ladders.length} ladders`;
  if ($('summary').textContent !== count) $('summary').textContent = count;
  main.dataset.ladders = String(ladders.length);
}

// --- what is done --------------------------------------------------------------------------------

function nameOf(url) {
  try {
    return decodeURIComponent(url).replace(/\/?[^/]*$/, '');
  } catch {
    return url;
  }
}

// A ladder's address is relative to the page, and stays on this server.
function open(url) {
  const target = new URL(url, document.baseURI);
  if (target.origin !== window.location.origin) return;
  const path = nameOf(url);

  address = url;
  main.dataset.ladder = url;
  setState('loading');
  showMessage(null);
  $('title').textContent = path.split('/').at(-1) || 'This directory';
  $('path').textContent = path.includes('/') ? path : '';
  document.title = `${$('title').textContent} – ${siteTitle}`;
  player.load(target.href);
  showRungs();
  showSounds();
  showLadders();
  showStats();
}

async function play() {
  try {
    await video.play();
  } catch (error) {
    if (error.name === 'NotAllowedError') setState('paused'); // it takes a click; there is a button
  }
}

function toggle() {
  if (!address) return;
  if (video.paused || video.ended) play();
  else video.pause();
}

function seekTo(seconds) {
  const end = Number.isFinite(video.duration) ? video.duration : Infinity;
  video.currentTime = Math.min(Math.max(0, seconds), end);
}

function setVolume(value) {
  video.volume = Math.min(1, Math.max(0, value));
  video.muted = video.volume === 0;
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen();
  else video.webkitEnterFullscreen?.(); // iPhone
}

async function refresh() {
  try {
    const answer = await fetch('_sluice/ladders.json', { cache: 'no-store' });
    if (!answer.ok) return;
    ({ ladders } = await answer.json());
  } catch {
    return; // the server is away; the next look finds it again
  }
  showLadders();
}

// --- wires ---------------------------------------------------------------------------------------

player.addEventListener('ready', () => { showRungs(); showStats(); });
player.addEventListener('change', () => { markRung(); showStats(); });
player.addEventListener('sounds', showSounds);
player.addEventListener('failure', (event) => {
  showMessage(event.detail);
  main.dataset.state = 'error';
});

video.addEventListener('loadeddata', () => { if (video.paused) setState('paused'); });
video.addEventListener('playing', () => setState('playing'));
video.addEventListener('waiting', () => { if (!video.paused) setState('waiting'); });
video.addEventListener('pause', () => { if (!video.ended) setState('paused'); });
video.addEventListener('ended', () => setState('ended'));
video.addEventListener('resize', showStats);
for (const name of ['timeupdate', 'durationchange', 'progress', 'seeked', 'loadedmetadata']) {
  video.addEventListener(name, showTime);
}
video.addEventListener('volumechange', () => {
  main.dataset.muted = String(video.muted);
  $('mute').setAttribute('aria-pressed', String(video.muted));
  $('mute').setAttribute('aria-label', video.muted ? 'Unmute' : 'Mute');
  $('volume').value = String(video.muted ? 0 : video.volume);
});
for (const name of ['play', 'pause', 'ended']) {
  video.addEventListener(name, () => {
    $('toggle').setAttribute('aria-label', video.paused ? 'Play' : 'Pause');
    main.dataset.paused = String(video.paused);
  });
}
video.addEventListener('error', () => {
  if (!player.native || !video.error) return;
  showMessage(`This ladder cannot be played here. ${video.error.message}`);
  main.dataset.state = 'error';
});
video.addEventListener('click', toggle);
video.addEventListener('dblclick', toggleFullscreen);

$('start').addEventListener('click', toggle);
$('toggle').addEventListener('click', toggle);
$('mute').addEventListener('click', () => { video.muted = !video.muted; });
$('volume').addEventListener('input', () => setVolume(Number($('volume').value)));
$('fullscreen').addEventListener('click', toggleFullscreen);
$('live').addEventListener('click', () => { if (player.edge !== null) seekTo(player.edge); });
$('seek').addEventListener('input', () => { seeking = true; showTime(); });
$('seek').addEventListener('change', () => { seeking = false; seekTo(Number($('seek').value)); });
$('menu').addEventListener('change', () => player.choose(Number($('menu').value)));
$('rung-list').addEventListener('change', (event) => player.choose(Number(event.target.value)));
$('sound-list').addEventListener('change', (event) => player.chooseSound(Number(event.target.value)));

$('ladders').addEventListener('click', (event) => {
  const link = event.target.closest('a[data-ladder]');
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  window.history.pushState(null, '', link.href);
  open(link.dataset.ladder);
  play();
});
window.addEventListener('popstate', () => {
  const url = new URLSearchParams(window.location.search).get('ladder');
  if (url && url !== address) open(url);
});

const keys = {
  ' ': toggle,
  k: toggle,
  f: toggleFullscreen,
  m: () => { video.muted = !video.muted; },
  ArrowLeft: () => seekTo(video.currentTime - SEEK_STEP),
  ArrowRight: () => seekTo(video.currentTime + SEEK_STEP),
  ArrowUp: () => setVolume(video.volume + VOLUME_STEP),
  ArrowDown: () => setVolume(video.volume - VOLUME_STEP),
};

document.addEventListener('keydown', (event) => {
  const { target, key } = event;
  const action = keys[key.length === 1 ? key.toLowerCase() : key];
  if (!action || !address || event.altKey || event.ctrlKey || event.metaKey) return;
  // What has the focus and knows the key itself keeps it.
  const isArrow = key.startsWith('Arrow');
  if (target.matches('select') || (target.matches('input[type=radio]') && key !== 'f' && key !== 'm')) {
    return;
  }
  if (key === ' ' && target.matches('button, a, summary')) return;
  if (isArrow && target === $('volume')) return;
  if (event.repeat && !isArrow) return;
  event.preventDefault();
  action();
});

let idleTimer;
function wake() {
  delete stage.dataset.idle;
  clearTimeout(idleTimer);
  idleTimer = setTimeout(() => { if (!video.paused) stage.dataset.idle = 'true'; }, IDLE_AFTER);
}
for (const name of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
  document.addEventListener(name, wake, { passive: true });
}

// --- start ---------------------------------------------------------------------------------------

async function start() {
  await refresh();
  const asked = new URLSearchParams(window.location.search).get('ladder');
  const newest = [...ladders].sort((a, b) => b.modified - a.modified)[0];
  const url = asked ?? ladders.find((l) => l.path === '')?.url ?? newest?.url;
  if (url) open(url);
  setInterval(showStats, 500);
  for (;;) {
    const pause = ladders.length > 0 ? LIST_EVERY : LIST_EVERY_EMPTY;
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    if (document.visibilityState === 'visible') await refresh();
    if (!address && ladders.length > 0) open(ladders[0].url);
  }
}

start();
