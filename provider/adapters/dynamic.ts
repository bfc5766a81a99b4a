/** The dynamic provider: Pulumi's Node host loads it by name from the user's project. */
import type * as dynamic from "@pulumi/pulumi/dynamic";

import { type Lifecycle } from "../lifecycle";
import { type Hosts } from "../hosts";
import { type Properties } from "../wire";

export function dynamicProvider(lifecycle: Lifecycle, hosts: Hosts): dynamic.ResourceProvider<Properties, Properties> {
  return {
    // Not async: Pulumi runs reads before a slow configure has ended.
    configure: ({ config }): Promise<void> => {
      hosts.configure((key) => config.get(`lbshield:${key}`));
      return Promise.resolve();
    },

    check: (_olds, news) => {
      const { inputs, problems } = lifecycle.check(news);
      // With a property, the engine prints the property's value, secret or not.
      return Promise.resolve({ inputs, failures: problems.map((reason) => ({ property: "", reason })) });
    },

    // The engine compares old and new inputs itself and shows each line that differs.
    diff: (_id, olds, news) => Promise.resolve({ replaces: lifecycle.replaces(olds, news) }),

    create: async (inputs) => {
      const { id, outputs } = await lifecycle.create(inputs);
      return { id, outs: outputs };
    },

    read: async (id, olds) => {
      const found = olds === undefined ? undefined : await lifecycle.read(olds);
      return found === undefined ? { id: "", props: {} } : { id, props: found.outputs, inputs: { ...found.inputs } };
    },

    update: async (id, olds, news) => ({ outs: await lifecycle.update(id, olds, news) }),

    delete: (id, olds) => lifecycle.delete(id, olds),
  };
}
