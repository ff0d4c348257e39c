import js from "@eslint/js";
import pulumi from "@pulumi/eslint-plugin";
import boundaries from "eslint-plugin-boundaries";
import tseslint from "typescript-eslint";

/** Which folder may import from which. A folder of `components` may import types from `spec`, which says what users write. */
const LAYERS = {
  validation: [],
  cluster: ["validation"],
  kubelet: ["cluster", "validation"],
  host: [],
  runtime: ["cluster", "host", "validation"],
  downloads: ["runtime", "validation"],
  admission: ["cluster", "validation"],
  tokens: ["admission", "cluster", "validation"],
  serving: ["admission", "cluster", "kubelet", "validation"],
  spec: ["admission", "cluster", "downloads", "kubelet", "runtime", "serving", "tokens", "validation"],
  kubeProxy: ["cluster", "spec", "validation"],
  worker: [
    "admission",
    "cluster",
    "downloads",
    "host",
    "kubeProxy",
    "kubelet",
    "runtime",
    "serving",
    "spec",
    "validation",
  ],
  pools: ["admission", "cluster", "spec", "tokens", "validation", "worker"],
};

const COMPONENTS = Object.keys(LAYERS);

/** Folders of the repository, each with those that it may import from. `components` is any of its folders. */
const ROOMS = {
  provider: ["components"],
  settings: ["components"],
  lab: ["components"],
  policy: [],
  examples: ["components"],
  tools: ["components", "settings", "lab"],
  test: ["components", "examples", "settings", "lab", "policy", "provider", "tools"],
  bench: ["components", "settings", "lab", "policy", "tools", "test"],
};

const folders = (names) => names.flatMap((name) => (name === "components" ? ["api", ...COMPONENTS] : [name]));
const policy = (from, to) => ({
  from: { element: { type: from } },
  allow: { to: { element: { types: { anyOf: [from, ...to] } } } },
});

export default tseslint.config(
  { ignores: ["node_modules", ".lab", "coverage"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { "@pulumi": pulumi, boundaries },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      "import/resolver": { node: { extensions: [".ts", ".js", ".json"] } },
      "boundaries/elements": [
        ...COMPONENTS.map((name) => ({ type: name, partialMatch: false, pattern: `components/${name}/**` })),
        { type: "api", partialMatch: false, pattern: "components" },
        ...Object.keys(ROOMS).map((name) => ({ type: name, partialMatch: false, pattern: `${name}/**` })),
      ],
    },
    rules: {
      "@pulumi/no-output-in-template-literal": "error",
      "@pulumi/no-output-instance-in-template-literal": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "boundaries/dependencies": [
        "error",
        {
          default: "disallow",
          policies: [
            ...Object.entries(LAYERS).map(([from, to]) => policy(from, to)),
            policy("api", COMPONENTS),
            ...Object.entries(ROOMS).map(([from, to]) => policy(from, folders(to))),
            {
              from: { element: { types: { anyOf: COMPONENTS } } },
              allow: { to: { element: { type: "spec" } }, dependency: { kind: "type" } },
            },
          ],
        },
      ],
    },
  },
  {
    // A longer file holds more than one concept. Generated files may be longer.
    files: ["**/*.ts"],
    ignores: ["components/spec/specs.ts", "components/kubelet/KubeletConfiguration.ts"],
    rules: { "max-lines": ["error", 300] },
  },
  {
    // Tests look into resource inputs and JSON as they come over the wire, which have no types.
    files: ["test/**/*.ts", "bench/**/*.ts"],
    rules: {
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
);
