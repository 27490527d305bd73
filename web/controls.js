// SPDX-License-Identifier: BSD-2-Clause
// The controls on the picture and the keyboard. They know the video element and the player, not
// what is played.
import { $, main, stage, video } from './dom.js';
import * as format from './format.js';

const SEEK_STEP = 5;
const SEEK_STEP_LONG = 10;
const VOLUME_STEP = 0.05;
const IDLE_AFTER = 2500;

let seeking = false;

function bufferedAhead() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (currentTime >= buffered.start(i) - 0.1 && currentTime <= buffered.end(i)) {
      return buffered.end(i) - currentTime;
    }
  }
  return 0;
}

export function showTime(player) {
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

export function seekTo(seconds) {
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

function watchVideo(player) {
  for (const name of ['timeupdate', 'durationchange', 'progress', 'seeked', 'loadedmetadata']) {
    video.addEventListener(name, () => showTime(player));
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
}

function watchButtons(player, toggle) {
  video.addEventListener('click', toggle);
  video.addEventListener('dblclick', toggleFullscreen);
  $('start').addEventListener('click', toggle);
  $('toggle').addEventListener('click', toggle);
  $('mute').addEventListener('click', () => { video.muted = !video.muted; });
  $('volume').addEventListener('input', () => setVolume(Number($('volume').value)));
  $('fullscreen').addEventListener('click', toggleFullscreen);
  $('live').addEventListener('click', () => { if (player.edge !== null) seekTo(player.edge); });
  $('seek').addEventListener('input', () => { seeking = true; showTime(player); });
  $('seek').addEventListener('change', () => { seeking = false; seekTo(Number($('seek').value)); });
}

function watchKeys(player, toggle, isOpen) {
  const keys = {
    ' ': toggle,
    k: toggle,
    f: toggleFullscreen,
    m: () => { video.muted = !video.muted; },
    c: () => player.toggleText(),
    j: () => seekTo(video.currentTime - SEEK_STEP_LONG),
    l: () => seekTo(video.currentTime + SEEK_STEP_LONG),
    ArrowLeft: () => seekTo(video.currentTime - SEEK_STEP),
    ArrowRight: () => seekTo(video.currentTime + SEEK_STEP),
    ArrowUp: () => setVolume(video.volume + VOLUME_STEP),
    ArrowDown: () => setVolume(video.volume - VOLUME_STEP),
  };

  document.addEventListener('keydown', (event) => {
    const { target, key } = event;
    const action = keys[key.length === 1 ? key.toLowerCase() : key];
    if (!action || !isOpen() || event.altKey || event.ctrlKey || event.metaKey) return;
    // What has the focus and knows the key itself keeps it.
    const isArrow = key.startsWith('Arrow');
    if (target.matches('select, input[type=search]')) return;
    if (target.matches('input[type=radio]') && key !== 'f' && key !== 'm') return;
    if (key === ' ' && target.matches('button, a, summary')) return;
    if (isArrow && target === $('volume')) return;
    if (event.repeat && !isArrow) return;
    event.preventDefault();
    action();
  });
}

function watchIdle() {
  let idleTimer;
  const wake = () => {
    delete stage.dataset.idle;
    clearTimeout(idleTimer);
    idleTimer = setTimeout(() => { if (!video.paused) stage.dataset.idle = 'true'; }, IDLE_AFTER);
  };
  for (const name of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
    document.addEventListener(name, wake, { passive: true });
  }
}

// toggle: plays or pauses. isOpen: whether there is anything to play.
export function watch(player, { toggle, isOpen }) {
  watchVideo(player);
  watchButtons(player, toggle);
  watchKeys(player, toggle, isOpen);
  watchIdle();
}
