// SPDX-License-Identifier: BSD-2-Clause
// One video element and what feeds it: hls.js where Media Source Extensions are, otherwise the
// browser itself (Safari on iPhone).
import Hls from './hls.min.mjs';

const NATIVE_TYPE = 'application/vnd.apple.mpegurl';
const RECOVERIES = 3;
const PATIENCE = 60000; // milliseconds: a segment may have to be coded before its first byte comes

const patient = (policy) => ({
  ...policy, default: { ...policy.default, maxTimeToFirstByteMs: PATIENCE, maxLoadTimeMs: 2 * PATIENCE },
});

export class Player extends EventTarget {
  constructor(video) {
    super();
    this.video = video;
    this.hls = null;
    this.native = !Hls.isSupported() && video.canPlayType(NATIVE_TYPE) !== '';
    this.recoveries = 0;
    this.lastText = 0;
  }

  get engine() {
    return this.hls ? 'hls.js' : this.native ? 'native' : 'none';
  }

  // Seconds from which to begin. A ladder that still grows holds everything from its start; watching
  // it begins there. -1: where it is live.
  load(url, start = 0) {
    this.close();
    this.recoveries = 0;
    if (this.native) {
      this.video.src = url;
      if (start >= 0) this.video.addEventListener('loadedmetadata', () => { this.video.currentTime = start; },
        { once: true });
      this.#tell('ready');
      return;
    }
    if (!Hls.isSupported()) {
      this.#tell('failure', 'This browser can play neither HLS nor Media Source Extensions.');
      return;
    }
    this.hls = new Hls({
      workerPath: new URL('./hls.worker.js', import.meta.url).href,
      startPosition: start,
      backBufferLength: 60,
      lowLatencyMode: false,
      manifestLoadPolicy: patient(Hls.DefaultConfig.manifestLoadPolicy),
      playlistLoadPolicy: patient(Hls.DefaultConfig.playlistLoadPolicy),
      fragLoadPolicy: patient(Hls.DefaultConfig.fragLoadPolicy),
    });
    this.hls.on(Hls.Events.MANIFEST_PARSED, () => this.#tell('ready'));
    this.hls.on(Hls.Events.LEVEL_SWITCHED, () => this.#tell('change'));
    this.hls.on(Hls.Events.LEVEL_UPDATED, () => this.#tell('change'));
    this.hls.on(Hls.Events.LEVELS_UPDATED, () => this.#tell('ready'));
    this.hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => this.#tell('sounds'));
    this.hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, () => this.#tell('sounds'));
    this.hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => this.#tell('texts'));
    this.hls.on(Hls.Events.SUBTITLE_TRACK_SWITCH, () => this.#tell('texts'));
    this.hls.on(Hls.Events.ERROR, (event, data) => this.#onError(data));
    this.hls.loadSource(url);
    this.hls.attachMedia(this.video);
  }

  close() {
    if (this.hls) this.hls.destroy();
    this.hls = null;
    this.video.removeAttribute('src');
    this.video.load();
  }

  get levels() {
    return this.hls ? this.hls.levels : [];
  }

  // Index of the rung on the screen, -1 while none is.
  get current() {
    return this.hls ? this.hls.currentLevel : -1;
  }

  // Index of the rung asked for, -1 for automatic.
  get chosen() {
    return this.hls && !this.hls.autoLevelEnabled ? this.hls.manualLevel : -1;
  }

  choose(index) {
    if (!this.hls) return;
    if (index < 0) {
      this.hls.loadLevel = -1;
    } else if (this.#inLastSegment()) {
      this.#replaceNow(index);
    } else {
      this.hls.nextLevel = index; // from the next segment on, without a break
    }
    this.#tell('change');
  }

  #inLastSegment() {
    const last = this.hls.levels[this.hls.currentLevel]?.details?.fragments.at(-1);
    return last !== undefined && this.video.currentTime >= last.start;
  }

  // Nothing follows where the new rung could begin, so what is on the screen is replaced. The
  // decoder is already past the only key frame: a seek to where it is makes it start over.
  #replaceNow(index) {
    const { hls, video } = this;
    const onBuffered = (event, { frag }) => {
      if (frag.type !== 'main' || frag.level !== index) return;
      hls.off(Hls.Events.FRAG_BUFFERED, onBuffered);
      video.currentTime = Math.min(video.currentTime, frag.end - 0.1);
    };
    hls.on(Hls.Events.FRAG_BUFFERED, onBuffered);
    hls.currentLevel = index;
  }

  get sounds() {
    return this.hls ? this.hls.audioTracks : [];
  }

  get sound() {
    return this.hls ? this.hls.audioTrack : -1;
  }

  chooseSound(index) {
    if (this.hls) this.hls.audioTrack = index;
  }

  get texts() {
    return this.hls ? this.hls.subtitleTracks : [];
  }

  // Index of the subtitles that are shown, -1 for none.
  get text() {
    return this.hls ? this.hls.subtitleTrack : -1;
  }

  chooseText(index) {
    if (!this.hls) return;
    if (index >= 0) this.lastText = index;
    this.hls.subtitleTrack = index;
    this.hls.subtitleDisplay = index >= 0;
  }

  // Off, or those that were shown last.
  toggleText() {
    if (this.texts.length === 0) return;
    const last = this.lastText < this.texts.length ? this.lastText : 0;
    this.chooseText(this.text >= 0 ? -1 : last);
  }

  get growing() {
    const details = this.hls?.latestLevelDetails ?? this.hls?.levels[this.hls.currentLevel]?.details;
    return details ? details.live : this.video.duration === Infinity;
  }

  // Where the newest picture is, or null where nothing grows.
  get edge() {
    if (!this.growing) return null;
    if (this.hls) return this.hls.liveSyncPosition;
    const { seekable } = this.video;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #onError(data) {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.recoveries < RECOVERIES) {
      this.recoveries += 1;
      this.hls.recoverMediaError();
      return;
    }
    const status = data.response?.code ? ` (${data.response.code})` : '';
    const what = data.type === Hls.ErrorTypes.NETWORK_ERROR
      ? `The server did not give what was asked for${status}.`
      : 'This cannot be played here.';
    this.#tell('failure', `${what} ${data.details}`);
  }
}
