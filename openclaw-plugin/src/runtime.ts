/** The host's runtime, as it hands it over when the plugin is registered. */

import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { createPluginRuntimeStore } from "openclaw/plugin-sdk/runtime-store";

export const { setRuntime, getRuntime } = createPluginRuntimeStore<PluginRuntime>({
  pluginId: "tunnel",
  errorMessage: "the tunnel plugin is not registered",
});
