// Asks the YAML language server what it offers at the mark `|` of each text: node complete.mjs SCHEMA < texts.json
import { createRequire } from "module";
import fs from "fs";

const require = createRequire(process.cwd() + "/");
const { getLanguageService } = require("yaml-language-server");
const { TextDocument } = require("vscode-languageserver-textdocument");

const schema = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const telemetry = { send() {}, sendTrack() {}, sendError(_name, error) { throw error; } };
const service = getLanguageService({
  schemaRequestService: async () => JSON.stringify(schema),
  workspaceContext: { resolveRelativePath: (path) => path },
  telemetry,
  clientCapabilities: {},
});
service.configure({
  validate: true,
  completion: true,
  customTags: [],
  schemas: [{ uri: "file:///scenes.schema.json", fileMatch: ["*"], schema }],
});

const answers = [];
for (const [number, text] of JSON.parse(fs.readFileSync(0, "utf8")).entries()) {
  const at = text.indexOf("|");
  const document = TextDocument.create(`file:///${number}.yaml`, "yaml", 1, text.replace("|", ""));
  const offered = await service.doComplete(document, document.positionAt(at), false);
  const problems = await service.doValidation(document, false);
  answers.push({ labels: offered.items.map((one) => one.label), problems: problems.map((one) => one.message) });
}
process.stdout.write(JSON.stringify(answers));
