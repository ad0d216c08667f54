/** The plugin's entry: it registers the channel and does nothing else when it is loaded. */

import { defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";

import { tunnelPlugin } from "./channel.js";
import { setRuntime } from "./runtime.js";

export default defineChannelPluginEntry({
  id: "tunnel",
  name: "Tunnel",
  description: "Your agents on your phone, through a Tunnels-to-Bots gateway.",
  plugin: tunnelPlugin,
  setRuntime,
});
