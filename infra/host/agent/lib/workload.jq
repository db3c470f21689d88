# What the enclave's init is given, from {image: the image's own configuration, configuration, secrets}.
# The arrays stay arrays: nothing of them is ever joined into a command line.

def pairs: to_entries | map("\(.key)=\(.value)");
def of_image: (.image.Env // []) | map(capture("^(?<key>[^=]+)=(?<value>(.|\n)*)$")) | from_entries;
def named: with_entries(select((.key | test("^[A-Za-z_][A-Za-z0-9_]*$")) and (.value | type == "string")));

.configuration as $configuration
| ($configuration.spec.awsServices // [] | length > 0) as $aws
| {
    arguments: ((.image.Entrypoint // []) + (.image.Cmd // [])),
    directory: (if (.image.WorkingDir // "") == "" then "/" else .image.WorkingDir end),
    user: (.image.User // ""),
    environment: (
      {PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
      + of_image
      + (if $aws then {
          AWS_REGION: $configuration.region,
          AWS_DEFAULT_REGION: $configuration.region,
          AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:9003/credentials"
        } else {} end)
      + ($configuration.spec.environmentVariables // {} | named)
      + .secrets
      | pairs
    ),
    egress: .egress.allowed,
    credentials: $aws
  }
