/** Doc comments, as an editor shows them: the compiler carries them from the models into the types inferred from these. */
import { join } from "node:path";
import ts from "typescript";

/** The documentation of a type, a class or a property, and of what is in it. */
export interface Docs {
  /** Markdown; empty when there is no comment. */
  text(): string;
  /** Undefined when there is no such property. */
  member(name: string): Docs | undefined;
}

export class Sources {
  private readonly program: ts.Program;
  private readonly checker: ts.TypeChecker;

  /** `files` are relative to `root`, whose tsconfig.json says how to read them. */
  constructor(
    private readonly root: string,
    files: readonly string[],
  ) {
    const config: unknown = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)).config;
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const paths = files.map((file) => join(root, file));
    this.program = ts.createProgram(paths, options);
    this.checker = this.program.getTypeChecker();
  }

  /** The documentation of an exported type, interface or class. */
  of(file: string, name: string): Docs {
    const source = this.program.getSourceFile(join(this.root, file));
    const module = source && this.checker.getSymbolAtLocation(source);
    const symbol = module && this.checker.getExportsOfModule(module).find((s) => s.name === name);
    if (symbol === undefined) throw new Error(`${file} exports no ${name}`);
    return this.docs(symbol, this.checker.getDeclaredTypeOfSymbol(symbol));
  }

  private docs(symbol: ts.Symbol, type: ts.Type): Docs {
    return {
      text: () => this.text(symbol),
      member: (name) => {
        const member = this.objectsIn(type).flatMap((t) => this.checker.getPropertyOfType(t, name) ?? [])[0];
        return member && this.docs(member, this.checker.getTypeOfSymbol(member));
      },
    };
  }

  private text(symbol: ts.Symbol): string {
    const [tag] = symbol.getJsDocTags(this.checker);
    if (tag)
      throw new Error(
        `${symbol.name}: its doc comment ends at @${tag.name}, which reads as a tag; put it in backticks`,
      );
    return unwrap(ts.displayPartsToString(symbol.getDocumentationComment(this.checker)));
  }

  /** The object types behind optionality, unions, lists and records. */
  private objectsIn(type: ts.Type): readonly ts.Type[] {
    if (type.isUnion()) return type.types.flatMap((t) => this.objectsIn(t));
    const { checker } = this;
    const element = checker.isArrayType(type)
      ? checker.getIndexTypeOfType(type, ts.IndexKind.Number)
      : checker.getIndexTypeOfType(type, ts.IndexKind.String);
    return element === undefined ? [type] : this.objectsIn(element);
  }
}

/** Where a comment's lines end means nothing, except in code, between paragraphs and before a list's items. */
const unwrap = (text: string): string =>
  text
    .split(/(^```[^]*?^```$)/m)
    .map((part) => (part.startsWith("```") ? part : part.replace(/(?<=\S)\n(?=[^\s\-*])/g, " ")))
    .join("");
