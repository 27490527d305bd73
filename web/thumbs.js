// SPDX-License-Identifier: BSD-2-Clause
// Pictures of what is in view, a few at a time: each is decoded when it is asked for, and a browser
// has six connections to a server, which the player needs more.

const AT_ONCE = 2;
const MARGIN = '300px'; // begun this far before they come into view

const waiting = new Set();
let loading = 0;

function next() {
  for (const image of waiting) {
    if (loading >= AT_ONCE) return;
    waiting.delete(image);
    if (image.isConnected) {
      loading += 1;
      image.src = image.dataset.src;
    }
  }
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) {
      waiting.delete(target);
    } else if (!target.hasAttribute('src')) {
      waiting.add(target);
    }
  }
  next();
}, { rootMargin: MARGIN });

// The image loads url once it is in view; without a picture it goes.
export function show(image, url) {
  const done = (event) => {
    loading -= 1;
    observer.unobserve(image);
    if (event.type === 'error') image.remove();
    next();
  };
  image.dataset.src = url;
  image.addEventListener('load', done, { once: true });
  image.addEventListener('error', done, { once: true });
  observer.observe(image);
}
