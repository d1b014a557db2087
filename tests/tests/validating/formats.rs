//! What is printed, in every format.

use std::fs;

use serde_json::Value;

use super::stage::{Folder, MENDABLE, SOUND};

/// Findings of every kind: related places here and elsewhere, fixes, warnings, characters of several bytes, and texts
/// that try to be more than text.
fn many() -> Folder {
    let evil = "name: evil
version: 1
steps:
  - id: é
    type: set
    values: {x: 1}
  - {id: two, type: set, values: {x: 1}, depends_on: elsewhere}
  - {id: two, type: wait, for: 1s}
\"::error::%0A<]]>[x](1)\\e[31m\\n\": 1
";
    let repository = Folder::with(&[
        (".flow/processes/evil.yaml", evil),
        (".flow/processes/a.yaml", &SOUND.replace("steps", "inputs: {unused: {type: string}}\nsteps")),
        (".flow/processes/b c,%.yaml", SOUND),
    ]);
    repository.commit();
    repository
}

#[test]
fn human() {
    insta::assert_snapshot!(many().flowctl(&["validate"]).out, @r#"
    warning[FLOW209]: nothing reads the input `unused`
     --> .flow/processes/a.yaml:3:10
      |
    3 | inputs: {unused: {type: string}}
      |          ^^^^^^
      |
      = help: read it as `inputs.unused`, or remove it

    error[FLOW016]: there is a process `a` already
     --> .flow/processes/b c,%.yaml:1:7
      |
    1 | name: a
      |       ^
      |
     ::: .flow/processes/a.yaml:1:7
      |
    1 | name: a
      |       - the first one

    error[FLOW017]: the name is `a`, but the file is called `b c,%`
     --> .flow/processes/b c,%.yaml:1:7
      |
    1 | name: a
      |       ^
      |
      = help: rename one of them

    error[FLOW014]: a step's id may not contain `é`
     --> .flow/processes/evil.yaml:4:9
      |
    4 |   - id: é
      |         ^
      |
      = help: use lower-case letters, digits and `_`

    error[FLOW015]: there is a step `two` already
     --> .flow/processes/evil.yaml:8:10
      |
    7 |   - {id: two, type: set, values: {x: 1}, depends_on: elsewhere}
      |          --- the first one
    8 |   - {id: two, type: wait, for: 1s}
      |          ^^^

    error[FLOW010]: unknown key `::error::%0A<]]>[x](1) [31m `
     --> .flow/processes/evil.yaml:9:2
      |
    9 | "::error::%0A<]]>[x](1)\e[31m\n": 1
      |  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: known here: `name`, `version`, `description`, `status`, `triggers`,
              `inputs`, `context`, `defaults`, `concurrency`, `outputs`, `notify`,
              `guarantees` …

    5 errors, 1 warning in 3 files
    flowctl explain FLOW016 says more
    "#);
}

#[test]
fn concise() {
    insta::assert_snapshot!(many().flowctl(&["validate", "--format", "concise"]).out, @r#"
    .flow/processes/a.yaml:3:10: warning[FLOW209]: nothing reads the input `unused` (read it as `inputs.unused`, or remove it)
    .flow/processes/b c,%.yaml:1:7: error[FLOW016]: there is a process `a` already
    .flow/processes/b c,%.yaml:1:7: error[FLOW017]: the name is `a`, but the file is called `b c,%` (rename one of them)
    .flow/processes/evil.yaml:4:9: error[FLOW014]: a step's id may not contain `é` (use lower-case letters, digits and `_`)
    .flow/processes/evil.yaml:8:10: error[FLOW015]: there is a step `two` already
    .flow/processes/evil.yaml:9:2: error[FLOW010]: unknown key `::error::%0A<]]>[x](1) [31m ` (known here: `name`, `version`, `description`, `status`, `triggers`, `inputs`, `context`, `defaults`, `concurrency`, `outputs`, `notify`, `guarantees` …)
    "#);
}

#[test]
fn github() {
    insta::assert_snapshot!(many().flowctl(&["validate", "--format", "github"]).out, @r#"
    ::warning file=.flow/processes/a.yaml,line=3,endLine=3,col=10,endColumn=15,title=FLOW209 unused-input::nothing reads the input `unused`%0Aread it as `inputs.unused`, or remove it
    ::error file=.flow/processes/b c%2C%25.yaml,line=1,endLine=1,col=7,endColumn=7,title=FLOW016 duplicate-process-name::there is a process `a` already
    ::error file=.flow/processes/b c%2C%25.yaml,line=1,endLine=1,col=7,endColumn=7,title=FLOW017 name-differs-from-file::the name is `a`, but the file is called `b c,%25`%0Arename one of them
    ::error file=.flow/processes/evil.yaml,line=4,endLine=4,col=9,endColumn=9,title=FLOW014 wrong-value::a step's id may not contain `é`%0Ause lower-case letters, digits and `_`
    ::error file=.flow/processes/evil.yaml,line=8,endLine=8,col=10,endColumn=12,title=FLOW015 duplicate-step-id::there is a step `two` already
    ::error file=.flow/processes/evil.yaml,line=9,endLine=9,col=2,endColumn=31,title=FLOW010 unknown-key::unknown key `::error::%250A<]]>[x](1) [31m `%0Aknown here: `name`, `version`, `description`, `status`, `triggers`, `inputs`, `context`, `defaults`, `concurrency`, `outputs`, `notify`, `guarantees` …
    "#);
}

#[test]
fn junit() {
    insta::assert_snapshot!(many().flowctl(&["validate", "--format", "junit"]).out, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="flowctl validate" tests="6" skipped="0" failures="5" errors="0">
        <testsuite name=".flow/processes/a.yaml" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="FLOW209 unused-input: nothing reads the input `unused`" classname=".flow/processes/a.yaml" file=".flow/processes/a.yaml" line="3">
                <system-out>.flow/processes/a.yaml:3:10: warning[FLOW209]: nothing reads the input `unused`
    help: read it as `inputs.unused`, or remove it</system-out>
            </testcase>
        </testsuite>
        <testsuite name=".flow/processes/b c,%.yaml" tests="2" skipped="0" errors="0" failures="2">
            <testcase name="FLOW016 duplicate-process-name: there is a process `a` already" classname=".flow/processes/b c,%.yaml" file=".flow/processes/b c,%.yaml" line="1">
                <failure message="there is a process `a` already" type="error">.flow/processes/b c,%.yaml:1:7: error[FLOW016]: there is a process `a` already</failure>
            </testcase>
            <testcase name="FLOW017 name-differs-from-file: the name is `a`, but the file is called `b c,%`" classname=".flow/processes/b c,%.yaml" file=".flow/processes/b c,%.yaml" line="1">
                <failure message="the name is `a`, but the file is called `b c,%`" type="error">.flow/processes/b c,%.yaml:1:7: error[FLOW017]: the name is `a`, but the file is called `b c,%`
    help: rename one of them</failure>
            </testcase>
        </testsuite>
        <testsuite name=".flow/processes/evil.yaml" tests="3" skipped="0" errors="0" failures="3">
            <testcase name="FLOW014 wrong-value: a step&apos;s id may not contain `é`" classname=".flow/processes/evil.yaml" file=".flow/processes/evil.yaml" line="4">
                <failure message="a step&apos;s id may not contain `é`" type="error">.flow/processes/evil.yaml:4:9: error[FLOW014]: a step&apos;s id may not contain `é`
    help: use lower-case letters, digits and `_`</failure>
            </testcase>
            <testcase name="FLOW015 duplicate-step-id: there is a step `two` already" classname=".flow/processes/evil.yaml" file=".flow/processes/evil.yaml" line="8">
                <failure message="there is a step `two` already" type="error">.flow/processes/evil.yaml:8:10: error[FLOW015]: there is a step `two` already</failure>
            </testcase>
            <testcase name="FLOW010 unknown-key: unknown key `::error::%0A&lt;]]&gt;[x](1) [31m `" classname=".flow/processes/evil.yaml" file=".flow/processes/evil.yaml" line="9">
                <failure message="unknown key `::error::%0A&lt;]]&gt;[x](1) [31m `" type="error">.flow/processes/evil.yaml:9:2: error[FLOW010]: unknown key `::error::%0A&lt;]]&gt;[x](1) [31m `
    help: known here: `name`, `version`, `description`, `status`, `triggers`, `inputs`, `context`, `defaults`, `concurrency`, `outputs`, `notify`, `guarantees` …</failure>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
    let denied = many().flowctl(&["validate", "--format", "junit", "--deny-warnings"]).out;
    assert!(denied.contains("type=\"warning\""), "what fails the run fails there: {denied}");
}

#[test]
fn sarif() {
    let said = many().flowctl(&["validate", "--format", "sarif"]);
    let document = said.json();
    let run = &document["runs"][0];
    assert_eq!(document["version"], "2.1.0");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let code = rule["id"].as_str().unwrap();
        let page = option_env!("FLOWCTL_RULES_URL").map(|pages| format!("{pages}/{code}.md"));
        assert_eq!(rule.get("helpUri").and_then(|page| page.as_str()), page.as_deref(), "{rule}");
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("## Wrong"), "{rule}");
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uriBaseId"], "%SRCROOT%");
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&run["results"]).unwrap(), @r#"
    [
      {
        "ruleId": "FLOW209",
        "ruleIndex": 5,
        "level": "warning",
        "message": {
          "text": "nothing reads the input `unused`\nread it as `inputs.unused`, or remove it"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/a.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 3,
                "startColumn": 10,
                "endLine": 3,
                "endColumn": 16,
                "byteOffset": 28,
                "byteLength": 6,
                "snippet": {
                  "text": "unused"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "d36368647178c32cbec2eac284c13d5b"
        }
      },
      {
        "ruleId": "FLOW016",
        "ruleIndex": 3,
        "level": "error",
        "message": {
          "text": "there is a process `a` already"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/b%20c%2C%25.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 1,
                "startColumn": 7,
                "endLine": 1,
                "endColumn": 8,
                "byteOffset": 6,
                "byteLength": 1,
                "snippet": {
                  "text": "a"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "db51c2b4b7f81bd4f90337f14db56cf9"
        },
        "relatedLocations": [
          {
            "id": 1,
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/a.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 1,
                "startColumn": 7,
                "endLine": 1,
                "endColumn": 8,
                "byteOffset": 6,
                "byteLength": 1,
                "snippet": {
                  "text": "a"
                }
              }
            },
            "message": {
              "text": "the first one"
            }
          }
        ]
      },
      {
        "ruleId": "FLOW017",
        "ruleIndex": 4,
        "level": "error",
        "message": {
          "text": "the name is `a`, but the file is called `b c,%`\nrename one of them"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/b%20c%2C%25.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 1,
                "startColumn": 7,
                "endLine": 1,
                "endColumn": 8,
                "byteOffset": 6,
                "byteLength": 1,
                "snippet": {
                  "text": "a"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "2a69e84b5fbe266ddba852a1572d3e65"
        }
      },
      {
        "ruleId": "FLOW014",
        "ruleIndex": 1,
        "level": "error",
        "message": {
          "text": "a step's id may not contain `é`\nuse lower-case letters, digits and `_`"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/evil.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 4,
                "startColumn": 9,
                "endLine": 4,
                "endColumn": 10,
                "byteOffset": 37,
                "byteLength": 2,
                "snippet": {
                  "text": "é"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "cec47aff80556f3cfba133936434580f"
        }
      },
      {
        "ruleId": "FLOW015",
        "ruleIndex": 2,
        "level": "error",
        "message": {
          "text": "there is a step `two` already"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/evil.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 8,
                "startColumn": 10,
                "endLine": 8,
                "endColumn": 13,
                "byteOffset": 146,
                "byteLength": 3,
                "snippet": {
                  "text": "two"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "7f4cefbd7b0b8f5983fa2845bfea572a"
        },
        "relatedLocations": [
          {
            "id": 1,
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/evil.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 7,
                "startColumn": 10,
                "endLine": 7,
                "endColumn": 13,
                "byteOffset": 82,
                "byteLength": 3,
                "snippet": {
                  "text": "two"
                }
              }
            },
            "message": {
              "text": "the first one"
            }
          }
        ]
      },
      {
        "ruleId": "FLOW010",
        "ruleIndex": 0,
        "level": "error",
        "message": {
          "text": "unknown key `::error::%0A<]]>[x] (1) [31m `\nknown here: `name`, `version`, `description`, `status`, `triggers`, `inputs`, `context`, `defaults`, `concurrency`, `outputs`, `notify`, `guarantees` …"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": ".flow/processes/evil.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 9,
                "startColumn": 2,
                "endLine": 9,
                "endColumn": 32,
                "byteOffset": 173,
                "byteLength": 30,
                "snippet": {
                  "text": "::error::%0A<]]>[x](1)\\e[31m\\n"
                }
              }
            }
          }
        ],
        "partialFingerprints": {
          "flowctlFinding/v1": "9dbe42d3a1b5b40234a97deb8eef58ff"
        }
      }
    ]
    "#);
    assert!(!said.out.contains(many().path().to_str().unwrap()), "no path of this machine");
}

#[test]
fn sarif_is_as_its_schema_says() {
    let Some(path) = std::env::var_os("FLOWCTL_SARIF_SCHEMA") else {
        println!("not run: FLOWCTL_SARIF_SCHEMA does not name the schema; tests/run fetches it");
        return;
    };
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // Its pattern of languages has a bracket too many, which no strict reader of patterns takes; we write no language.
    for place in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{place}/properties/language"));
        language.and_then(Value::as_object_mut).map(|language| language.remove("pattern"));
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mendable = Folder::with(&[(".flow/processes/a.yaml", MENDABLE)]);
    let sound = Folder::with(&[(".flow/processes/a.yaml", SOUND)]);
    for repository in [many(), mendable, sound] {
        let document = repository.flowctl(&["validate", "--format", "sarif"]).json();
        let faults: Vec<String> =
            validator.iter_errors(&document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new());
    }
    assert!(!validator.is_valid(&serde_json::json!({"version": "2.1.0", "runs": [{}]})), "it can fail");
}

#[test]
fn fingerprints_survive_edits_elsewhere() {
    let repository = many();
    let prints = || -> Vec<String> {
        let document = repository.flowctl(&["validate", "--format", "sarif"]).json();
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        let print = |result: &Value| result["partialFingerprints"]["flowctlFinding/v1"].as_str().unwrap().to_owned();
        results.iter().map(print).collect()
    };
    let before = prints();
    let text = repository.read(".flow/processes/evil.yaml");
    repository.write(".flow/processes/evil.yaml", &format!("# a comment\n\n{text}"));
    assert_eq!(prints(), before);
}

#[test]
fn counts_by_rule() {
    insta::assert_snapshot!(many().flowctl(&["validate", "--statistics"]).out, @r#"
    1  FLOW010  unknown-key             error
    1  FLOW014  wrong-value             error
    1  FLOW015  duplicate-step-id       error
    1  FLOW016  duplicate-process-name  error
    1  FLOW017  name-differs-from-file  error
    1  FLOW209  unused-input            warning
    6 findings of 6 rules in 3 files
    "#);
    let document = many().flowctl(&["validate", "--statistics", "--format", "json"]).json();
    assert!(document["statistics"].as_array().unwrap().iter().all(|row| row["count"].as_u64() > Some(0)));
}

#[test]
fn a_line_too_long_for_any_terminal_was_drawn_for_each_of_its_findings() {
    let values: String = (0..2_000).map(|number| format!("v{number}: \"{{{{ inputs.nope_{number} }}}}\", ")).collect();
    let text = format!("name: long\nversion: 1\nsteps:\n- {{id: s, type: set, values: {{{values}z: 1}}}}\n");
    let said = Folder::with(&[(".flow/processes/long.yaml", &text)]).flowctl(&["validate"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("> .flow/processes/long.yaml:4:"), "{}", said.out);
    assert!(said.out.lines().all(|line| line.len() < 200), "{}", said.out);
}

#[test]
fn no_terminal_obeys_what_a_definition_says() {
    for format in ["human", "concise", "github", "junit", "sarif", "json"] {
        let said = many().flowctl(&["validate", "--format", format]);
        assert!(!said.out.contains('\u{1b}'), "{format}: {}", said.out);
        let command = said.out.lines().filter(|line| line.starts_with("::")).count();
        assert_eq!(command > 0, format == "github");
    }
}

#[test]
fn rules_are_chosen_by_code_name_or_beginning() {
    let repository = many();
    let codes = |words: &[&str]| repository.flowctl(&[&["validate", "--format", "json"], words].concat()).codes();
    assert!(codes(&["--select", "FLOW012"]).iter().all(|code| code == "FLOW012"));
    assert_eq!(codes(&["--select", "unused-input"]), ["FLOW209"]);
    assert!(codes(&["--select", "FLOW2"]).iter().all(|code| code.starts_with("FLOW2")));
    assert!(!codes(&["--ignore", "FLOW012,FLOW209"]).iter().any(|code| code == "FLOW012" || code == "FLOW209"));
    assert_eq!(codes(&["--select", "FLOW2", "--ignore", "unused-input"]), Vec::<String>::new());
    let said = repository.flowctl(&["validate", "--select", "unused-inputs"]);
    assert_eq!((said.code, said.err.contains("did you mean `unused-input`?")), (2, true), "{}", said.err);
}
