// SPDX-License-Identifier: BSD-2-Clause
// Loaded in front of jsipfs: what it needs of Node 22 and later.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};
