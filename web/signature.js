// SPDX-License-Identifier: BSD-2-Clause
// The page may be opened by a signed link (sluice sign URL --scope /); what it asks for then carries
// the same signature.

const NAMES = ['in', 'exp', 'ip', 'sig'];

const query = new URLSearchParams(window.location.search);
const signature = new URLSearchParams(NAMES.filter((name) => query.has(name))
  .map((name) => [name, query.get(name)])).toString();

export function signed(url) {
  return signature ? `${url}${url.includes('?') ? '&' : '?'}${signature}` : url;
}
