// SPDX-License-Identifier: BSD-2-Clause
// The page: what is open, what is shown about it, and where its parts meet. State that tests and
// styles read stands in data attributes of <main>; nothing is put on window.
import { markRung, showRungs, showSounds, showTexts } from './choices.js';
import { seekTo, showTime, watch } from './controls.js';
import { $, main, video } from './dom.js';
import * as format from './format.js';
import { Ladders } from './ladders.js';
import { addressOf, Library } from './library.js';
import { Player } from './player.js';
import { positionOf, remember } from './resume.js';
import { addressOf as addressOfRun, Runs } from './runs.js';
import { signed } from './signature.js';

const LIST_EVERY = 15000;
const LIST_EVERY_EMPTY = 3000;
const REMEMBER_EVERY = 5000;

const player = new Player(video);
const ladders = new Ladders();
const library = new Library(showLists);
const runs = new Runs();
const { title: siteTitle } = document;

let address = null; // of what is loaded
let film = null; // its path, where it is of the library
let followed = null; // the run that plays
let remembered = 0; // when its position was

// --- what is shown -------------------------------------------------------------------------------

function setState(state) {
  if (main.dataset.state === 'error' && state !== 'loading') return;
  main.dataset.state = state;
}

function showMessage(text) {
  $('message').textContent = text ?? '';
  $('message').hidden = !text;
}

function showFailure(text) {
  showMessage(text);
  main.dataset.state = 'error';
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
  showTime(player);
}

function showLists() {
  const others = ladders.library || ladders.runs;
  const count = [ladders.library ? library.count : '', ladders.runs ? runs.count : '',
    others && ladders.list.length === 0 ? '' : ladders.count].filter(Boolean).join(', ');

  ladders.show(address);
  if (ladders.runs) runs.show(followed);
  $('runs').hidden = !ladders.runs;
  $('lists').hidden = $('runs').hidden && $('ladder-nav').hidden;
  $('library').hidden = !ladders.library;
  $('player').hidden = others && !address;
  if ($('summary').textContent !== count) $('summary').textContent = count;
}

function showEverything() {
  showRungs(player);
  showSounds(player);
  showTexts(player);
  showLists();
  showStats();
}

// --- what is done --------------------------------------------------------------------------------

function rememberPosition() {
  // Before the first picture the position is not yet the one that was asked for.
  if (!film || (video.readyState < video.HAVE_CURRENT_DATA && !video.seeking)) return;
  remembered = Date.now();
  remember(film, video.currentTime, video.duration);
}

function nameOf(url) {
  try {
    return decodeURIComponent(url).replace(/\/?[^/]*$/, '');
  } catch {
    return url;
  }
}

function load(url, path, start) {
  address = url;
  setState('loading');
  showMessage(null);
  $('title').textContent = path.split('/').at(-1) || 'This directory';
  $('path').textContent = path.includes('/') ? path : '';
  $('restart').hidden = start === 0;
  document.title = `${$('title').textContent} – ${siteTitle}`;
  library.current = film;
  library.mark();
  main.dataset.start = String(start);
  $('player').hidden = false;
  player.load(new URL(signed(url), document.baseURI).href, start);
  showEverything();
}

function forget() {
  rememberPosition();
  film = null;
  followed = null;
  runs.follow(null);
  delete main.dataset.film;
  delete main.dataset.ladder;
}

// A ladder's address is relative to the page, and stays on this server.
function openLadder(url) {
  if (!URL.canParse(url, document.baseURI)
    || new URL(url, document.baseURI).origin !== window.location.origin) return;
  forget();
  main.dataset.ladder = url;
  load(url, nameOf(url), 0);
}

function openFilm(path) {
  forget();
  film = path;
  main.dataset.film = path;
  load(addressOf(path), path, positionOf(path));
}

// What is live is followed where it is; what is over begins at its beginning.
function openRun(id) {
  forget();
  followed = id;
  runs.follow(id);
  load(addressOfRun(id), id, runs.stateOf(id) === 'running' ? -1 : 0);
}

function close() {
  forget();
  address = null;
  player.close();
  setState('idle');
  document.title = siteTitle;
  library.current = null;
  library.mark();
  showEverything();
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

// What the page's own address names. False: nothing.
function openAsked() {
  const query = new URLSearchParams(window.location.search);
  const asked = { ladder: query.get('ladder'), film: query.get('media'), run: query.get('run') };

  if (asked.run && ladders.runs) {
    if (asked.run !== followed) openRun(asked.run);
  } else if (asked.film && ladders.library) {
    if (asked.film !== film) openFilm(asked.film);
  } else if (asked.ladder) {
    if (asked.ladder !== address) openLadder(asked.ladder);
  } else {
    return false;
  }
  return true;
}

// --- wires ---------------------------------------------------------------------------------------

player.addEventListener('ready', () => { showRungs(player); showStats(); });
player.addEventListener('change', () => { markRung(player); showStats(); });
player.addEventListener('sounds', () => showSounds(player));
player.addEventListener('texts', () => showTexts(player));
player.addEventListener('failure', (event) => showFailure(event.detail));

video.addEventListener('loadeddata', () => { if (video.paused) setState('paused'); });
video.addEventListener('playing', () => setState('playing'));
video.addEventListener('waiting', () => { if (!video.paused) setState('waiting'); });
video.addEventListener('pause', () => { if (!video.ended) setState('paused'); });
video.addEventListener('ended', () => setState('ended'));
video.addEventListener('resize', showStats);
video.addEventListener('error', () => {
  if (!player.native || !video.error) return;
  showFailure(`This cannot be played here. ${video.error.message}`);
});
for (const name of ['pause', 'ended', 'seeked']) video.addEventListener(name, rememberPosition);
video.addEventListener('timeupdate', () => {
  if (!video.paused && Date.now() - remembered > REMEMBER_EVERY) rememberPosition();
});
window.addEventListener('pagehide', rememberPosition);
document.addEventListener('visibilitychange', rememberPosition);

document.querySelector('.brand').href = signed('.');
watch(player, { toggle, isOpen: () => address !== null });
$('menu').addEventListener('change', () => player.choose(Number($('menu').value)));
$('rung-list').addEventListener('change', (event) => player.choose(Number(event.target.value)));
$('sound-list').addEventListener('change', (event) => player.chooseSound(Number(event.target.value)));
$('text-list').addEventListener('change', (event) => player.chooseText(Number(event.target.value)));
$('restart').addEventListener('click', () => {
  seekTo(0);
  $('restart').hidden = true;
  play();
});

// A link that opens here, unless it is wanted in a window of its own.
function follow(list, selector, open) {
  $(list).addEventListener('click', (event) => {
    const link = event.target.closest(selector);
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (link.hasAttribute('aria-disabled')) return;
    window.history.pushState(null, '', link.href);
    open(link);
    play();
  });
}
follow('ladders', 'a[data-ladder]', (link) => openLadder(link.dataset.ladder));
follow('runs-list', 'a[data-run]', (link) => openRun(link.dataset.run));
runs.onChange = showLists;
follow('library-list', 'a[data-path]', (link) => {
  openFilm(link.dataset.path);
  $('player').scrollIntoView({ block: 'start' });
  $('player').focus({ preventScroll: true });
});
window.addEventListener('popstate', () => {
  if (!openAsked() && (ladders.library || ladders.runs) && address) close();
});

// --- start ---------------------------------------------------------------------------------------

async function refresh() {
  await ladders.refresh();
  if (ladders.runs) await runs.refresh();
  showLists();
  if (ladders.library) await library.refresh();
}

async function start() {
  await ladders.refresh();
  if (ladders.runs) await runs.refresh();
  showLists();
  if (!openAsked() && !ladders.library && !ladders.runs) {
    const url = ladders.list.find((l) => l.path === '')?.url ?? ladders.newest?.url;
    if (url) openLadder(url);
  }
  if (ladders.library) await library.refresh();
  setInterval(showStats, 500);
  for (;;) {
    const pause = (ladders.list.length > 0 || ladders.library) && !ladders.runs
      ? LIST_EVERY : LIST_EVERY_EMPTY;
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    if (document.visibilityState === 'visible') await refresh();
    if (!address && !ladders.library && !ladders.runs && ladders.list.length > 0) openLadder(ladders.list[0].url);
  }
}

start();
