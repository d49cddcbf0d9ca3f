// A WebSocket server and client of the package `ws`: `with_ws.mjs serve PORT` sends back what it gets,
// `with_ws.mjs talk URL COUNT` compares that many messages with what comes back.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

// The package is not beside this file: NODE_PATH says where it is.
const { WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws");
const [mode, where, count] = process.argv.slice(2);

function fail(text) {
  console.error(text);
  process.exit(1);
}

if (mode === "serve") {
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(where) });
  server.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("error", () => {});
  });
} else {
  const sizes = [0, 1, 125, 126, 65535, 65536, 200000];
  const waiting = [];
  let sent = 0, pongs = 0;
  const socket = new WebSocket(where);
  const send = () => {
    const binary = sent % 2 === 0;
    const bytes = randomBytes(sent % 10 === 0 ? sizes[(sent / 10) % sizes.length] : sent % 300);
    const message = binary ? bytes : Buffer.from(bytes.toString("base64") + "삼성");
    waiting.push({ message, binary });
    socket.send(message, { binary });
    sent += 1;
  };
  socket.on("open", () => {
    socket.ping("alive");
    // Several are on their way at once.
    for (let ahead = 0; ahead < 8; ahead += 1) send();
  });
  socket.on("pong", (data) => {
    if (data.toString() !== "alive") fail(`pong: ${data}`);
    pongs += 1;
  });
  let got = 0;
  socket.on("message", (data, binary) => {
    const expected = waiting.shift();
    if (!expected || binary !== expected.binary || !expected.message.equals(data)) {
      fail(`message ${got} is another one`);
    }
    got += 1;
    if (sent < Number(count)) send();
    else if (got === Number(count)) socket.close(4001, "enough");
  });
  socket.on("close", (code, reason) => {
    if (got !== Number(count) || pongs !== 1) fail(`closed with ${code} after ${got} messages`);
    if (code !== 4001 || reason.toString() !== "enough") fail(`closed with ${code} ${reason}`);
    console.log(`${got} messages`);
  });
  socket.on("error", (error) => fail(String(error)));
}
