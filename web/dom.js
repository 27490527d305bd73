// SPDX-License-Identifier: BSD-2-Clause
// The parts of the page that several modules share. Text of files (names, titles, languages) goes
// through textContent and attributes alone: nothing here reads HTML.

export const $ = (id) => document.getElementById(id);
export const main = document.querySelector('main');
export const video = $('video');
export const stage = $('stage');

export function make(tag, { text, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}
