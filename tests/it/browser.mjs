// Opens a page in headless Chromium, light and dark, at several widths, and tells as JSON what is where on it. Read from
// standard input by node, in the directory where the packages are.
import { writeFileSync } from "node:fs";

import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [shots, profile, ...files] = process.argv.slice(2);
const unsafe = ["--disable-web-security", "--allow-running-insecure-content"];
const browser = await puppeteer.launch({
  args: chromium.args.filter((arg) => !unsafe.includes(arg)),
  executablePath: await chromium.executablePath(),
  headless: "shell",
  userDataDir: profile,
});

/** Runs in the page. */
const look = () => {
  const box = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { left, top, right, bottom };
  };
  const isShown = (element) => element.getClientRects().length > 0;
  const svg = [...document.querySelectorAll("svg.weeks")].filter(isShown);
  const all = (from, what) => [...from.querySelectorAll(what)].filter(isShown);
  // Each word of HTML on its own: a line that wraps has no one box.
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || node.parentElement.closest("svg,thead,style")) continue;
    for (const match of node.data.matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      for (const part of range.getClientRects()) {
        const { left, top, right, bottom } = part;
        words.push({ text: match[0], left, top, right, bottom });
      }
    }
  }
  const texts = svg.flatMap((one) => all(one, "text")).map((text) => ({ text: text.textContent, ...box(text) }));
  const lanes = svg.flatMap((one) => all(one, ".lane")).map((lane) => ({
    account: lane.dataset.account,
    parts: all(lane, "rect,path").map((part) => ({ what: part.getAttribute("class"), ...box(part) })),
  }));
  const contrast = (() => {
    const light = (color) => {
      const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      const [red, green, blue] = color.match(/[\d.]+/g).map(Number).map(channel);
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ratio = (one, two) => {
      const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    const style = (element) => getComputedStyle(element);
    const card = style(document.querySelector(".weeks .card")).fill;
    const page = style(document.body).backgroundColor;
    const flag = style(document.querySelector(".weeks .flag")).fill;
    const under = (element) => {
      if (element.closest("svg")) return element.classList.contains("flag-text") ? flag : card;
      return element.closest(".card") ? style(element.closest(".card")).backgroundColor : page;
    };
    const read = [...document.querySelectorAll("svg text")].map((text) => ratio(style(text).fill, under(text)));
    const html = [...document.querySelectorAll("h1,h2,p,td,th,small,span,footer,time")];
    return Math.min(...read, ...html.map((text) => ratio(style(text).color, under(text))));
  })();
  return {
    width: document.documentElement.clientWidth,
    scrollWidth: document.documentElement.scrollWidth,
    svg: svg.map((one) => ({ class: one.getAttribute("class"), from: +one.dataset.from, to: +one.dataset.to, ...box(one) })),
    now: svg.flatMap((one) => all(one, ".now").map(box)),
    grid: svg.flatMap((one) => all(one, "path.grid").map(box)),
    rows: document.querySelectorAll("tbody tr").length,
    texts, words, lanes, contrast,
  };
};

const told = [];
for (const [scheme, width] of ["light", "dark"].flatMap((scheme) => [400, 900, 1600].map((width) => [scheme, width]))) {
  const page = await browser.newPage();
  let [requests, complaints] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  for (const file of files) {
    [requests, complaints] = [[], []];
    await page.goto(`file://${file}`);
    const seen = await page.evaluate(look);
    const name = file.replace(/^.*\/|\.html$/g, "");
    const isShot = file === files[0] || scheme === "light";
    const shot = isShot && await page.screenshot({ fullPage: true, encoding: "base64" });
    if (isShot) writeFileSync(`${shots}/${name}-${scheme}-${width}.png`, shot, "base64");
    told.push({ name, scheme, asked: width, requests, complaints, shot, ...seen });
  }
  await page.close();
}

// What colours the pictures have: the page's ground, and the middle of each bar.
const reader = await browser.newPage();
for (const one of told.filter((one) => one.shot)) {
  const points = { ground: [2, 2] };
  for (const lane of one.lanes) {
    for (const { what, left, top, right, bottom } of lane.parts) {
      if (["past", "open"].includes(what) && right - left > 8) {
        points[`${lane.account} ${what}`] = [(left + right) / 2, (top + bottom) / 2];
      }
    }
  }
  one.colors = await reader.evaluate(async (shot, points) => {
    const bytes = Uint8Array.from(atob(shot), (letter) => letter.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
    canvas.drawImage(picture, 0, 0);
    const at = ([x, y]) => [...canvas.getImageData(Math.round(x), Math.round(y), 1, 1).data].slice(0, 3);
    return Object.fromEntries(Object.entries(points).map(([name, place]) => [name, at(place)]));
  }, one.shot, points);
}
await browser.close();
console.log(JSON.stringify(told, (key, value) => (key === "shot" ? undefined : value)));
