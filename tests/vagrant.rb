# What Vagrant itself makes of our Vagrantfile for VirtualBox, which `vagrant validate` checks only where VirtualBox is.
# Prints for each machine: name, what is set before it boots, settings that VirtualBox's provider does not know.
require "vagrant"

vagrantfile = Vagrant::Environment.new(cwd: ARGV[0]).vagrantfile
vagrantfile.machine_names.each do |name|
  provider = vagrantfile.machine_config(name, :virtualbox, nil, nil, false)[:config].vm.get_provider_config(:virtualbox)
  puts [name, provider.customizations.map { |_, words| words.drop(2).join("=") }, provider._detected_errors].flatten.join(" ")
end
